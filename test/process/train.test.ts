/** `sinogram train`: what it leaves, and that a run killed at any moment and resumed ends with the same bits. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { volume } from "../../lib/core/arrays.ts";
import { writeArray } from "../../lib/data/array-files.ts";
import { readSafetensors } from "../../lib/data/safetensors.ts";
import { conv, Graph, relu, writeOnnx } from "../../lib/graph/index.ts";
import { openSession } from "../../lib/models/session.ts";
import { cli, ended, startCli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("train");
const withRuntime = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);

const settings = {
  network: { kind: "dncnn", inChannels: 1, depth: 3, channels: 4 },
  data: { input: "noisy.npy", target: "clean.npy", validation: 0.2, offset: 100, factor: 0.01, flip: true, turn: true },
  loss: { l1: 1, l2: 1 },
  optimizer: { rate: 0.01, clip: 1, decay: 1e-4 },
  schedule: { kind: "cosine-restarts", warmup: 3, cycle: 10 },
  steps: 24,
  batch: 3,
  seed: 5,
  validateEvery: 4,
  threads: 1,
};

const patchgan = { network: { kind: "patchgan", inChannels: 1, channels: 4, layers: 1 }, weight: 0.1 };

const base = temporaryFolder();
let prepared = 0;

/** Smooth images in numbers around 100, and the same with noise. */
async function prepare(change: object = {}): Promise<{ folder: string; config: string }> {
  const folder = join(base, String(prepared++));
  await mkdir(folder);
  const [n, size] = [10, 12];
  const clean = Float32Array.from(
    { length: n * size * size },
    (_, i) => 100 + 80 * Math.sin((i % size) / 3 + Math.floor(i / size ** 2)),
  );
  const noise = randomFloats(clean.length, 3);
  const noisy = clean.map((v, i) => v + 60 * noise[i]!);
  await writeArray(join(folder, "clean.npy"), volume(clean, [n, size, size]));
  await writeArray(join(folder, "noisy.npy"), volume(noisy, [n, size, size]));
  const config = join(folder, "config.json");
  await writeFile(config, JSON.stringify({ ...settings, ...change }));
  return { folder, config };
}

const digest = async (path: string) =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

withRuntime("trains, and leaves a model that works in the units of the data", async () => {
  const { folder, config } = await prepare();
  const out = join(folder, "out");
  const { code, stdout, stderr } = await cli("train", config, "-o", out, "--json");
  assert.equal(code, 0, stderr);
  const result = JSON.parse(stdout) as { steps: number; best: number };
  assert.equal(result.steps, 24);
  const log = (await readFile(join(out, "log.ndjson"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(log.length, 24);
  const validations = log.flatMap(({ validation }) => validation ?? []);
  assert.ok(validations.at(-1) < 0.85 * validations[0], `the validation loss falls: ${validations.join(", ")}`);
  assert.match(
    await readFile(join(out, "report.html"), "utf8"),
    /Step 24 of 24[\s\S]*<polyline[^>]+points="[0-9. ,]+"/,
  );
  const card = JSON.parse(await readFile(join(out, "model.json"), "utf8"));
  assert.equal(card.sha256, await digest(join(out, "model.onnx")));
  assert.equal(card.metrics.validationLoss, result.best);
  const session = await openSession(join(out, "model.onnx"));
  const { y } = await session.run({ x: { data: new Float32Array(144).fill(100), shape: [1, 1, 12, 12] } });
  await session.close();
  assert.ok(
    y!.data.every((v) => Math.abs(Number(v) - 100) < 60),
    "a flat image of 100 stays near 100",
  );
});

withRuntime("killed and resumed ends with the same bits", async () => {
  const changed = { patch: [8, 8], rotate: 20, zoom: [0.9, 1.2], gain: [0.9, 1.1], shift: 0.1, noise: 0.1 };
  const { folder, config } = await prepare({ steps: 120, data: { ...settings.data, ...changed } });
  const [whole, cut] = [join(folder, "whole"), join(folder, "cut")];
  assert.equal((await cli("train", config, "-o", whole)).code, 0);
  const child = startCli(["train", config, "-o", cut]);
  const end = ended(child);
  const exists = () => stat(join(cut, "checkpoint.safetensors")).catch(() => undefined);
  while (!(await exists()) && child.exitCode === null) await sleep(2);
  child.kill("SIGKILL");
  assert.equal((await end).signal, "SIGKILL", "killed while it ran");
  const refused = await cli("train", config, "-o", cut);
  assert.equal(refused.code, 1 + 2);
  assert.match(refused.stderr, /already holds a checkpoint/);
  const { code, stderr } = await cli("train", config, "-o", cut, "--resume");
  assert.equal(code, 0, stderr);
  for (const name of ["checkpoint.safetensors", "weights.safetensors", "model.onnx"])
    assert.equal(await digest(join(cut, name)), await digest(join(whole, name)), name);
});

withRuntime("super-resolution with a discriminator and a perceptual loss, resumed to the bit", async () => {
  const change = {
    network: { kind: "srresnet", inChannels: 1, blocks: 1, channels: 4 },
    data: {
      input: "small.npy",
      target: "clean.npy",
      offset: 100,
      factor: 0.01,
      patch: [4, 5],
      gain: [0.9, 1.1],
      shift: 0.1,
    },
    loss: {
      l1: 1,
      perceptual: { model: "features.onnx", weight: 0.1 },
      adversarial: { ...patchgan, weight: 0.01 },
    },
    // what is learned from noise is worse with every step: the last weights are kept all the same
    optimizer: { rate: 0.05 },
    average: 0,
    steps: 4,
    batch: 2,
    validateEvery: 2,
  };
  const { folder, config } = await prepare(change);
  await writeArray(
    join(folder, "small.npy"),
    volume(
      randomFloats(10 * 36, 4).map((v) => 100 + 50 * v),
      [10, 6, 6],
    ),
  );
  const features = new Graph("features");
  const x = features.input("pixels", [2, 3, 8, 10]);
  features.output("maps", relu(conv(x, features.constant(randomFloats(2 * 3 * 9, 5), [2, 3, 3, 3]))));
  await writeFile(join(folder, "features.onnx"), writeOnnx(features));
  const [whole, cut] = [join(folder, "whole"), join(folder, "cut")];
  const outcome = await cli("train", config, "-o", whole);
  assert.equal(outcome.code, 0, outcome.stderr);
  const at = async (steps: number) => writeFile(config, JSON.stringify({ ...settings, ...change, steps }));
  await at(2);
  await cli("train", config, "-o", cut);
  const early = await readSafetensors(join(cut, "checkpoint.safetensors"));
  await at(4);
  assert.equal((await cli("train", config, "-o", cut, "--resume")).code, 0);
  assert.equal(await digest(join(cut, "checkpoint.safetensors")), await digest(join(whole, "checkpoint.safetensors")));
  const late = await readSafetensors(join(cut, "checkpoint.safetensors"));
  const critic = (from: typeof late) => [...from.tensors.get("state.critic")!.data.slice(0, 36)];
  assert.notDeepEqual(critic(late), critic(early), "the discriminator learns too");
  const log = (await readFile(join(whole, "log.ndjson"), "utf8")).trim().split("\n");
  assert.ok(log.every((line) => JSON.parse(line).critic > 0));
  const { tensors } = await readSafetensors(join(whole, "weights.safetensors"));
  for (const [name, { data }] of tensors) assert.deepEqual(data, late.tensors.get(name)!.data, name);
});

withRuntime("a discriminator of detail sees what is beyond the input, whatever the input is", async () => {
  const critic = async (detail: number | undefined, offset: number) => {
    const { folder, config } = await prepare({
      // does nothing yet
      network: { kind: "unet", inChannels: 1, outChannels: 1, channels: [4], blocks: 1, norm: "none", residual: true },
      loss: {
        l1: 1,
        adversarial: { ...patchgan, detail },
      },
      data: { ...settings.data, offset },
      steps: 1,
    });
    const out = join(folder, "out");
    assert.equal((await cli("train", config, "-o", out)).code, 0);
    return JSON.parse(await readFile(join(out, "log.ndjson"), "utf8")).critic as number;
  };
  // differences of numbers up to three larger
  assert.ok(Math.abs((await critic(10, 100)) - (await critic(10, 400))) < 1e-4);
  assert.ok(Math.abs((await critic(undefined, 100)) - (await critic(undefined, 400))) > 1e-3);
});

withRuntime("diffusion: the network learns what was mixed in", async () => {
  const { folder, config } = await prepare({
    task: "diffusion",
    network: { kind: "unet", inChannels: 1, outChannels: 1, channels: [8, 8], blocks: 1, time: true },
    data: { input: "clean.npy", offset: 100, factor: 0.0125, validation: 0.2 },
    diffusion: { kind: "cosine", steps: 100, prediction: "v", minSnr: 5 },
    loss: { l2: 1 },
    optimizer: { rate: 0.01, clip: 1 },
    schedule: {},
    steps: 40,
    validateEvery: 20,
  });
  const { code, stdout, stderr } = await cli("train", config, "-o", join(folder, "out"), "--json");
  assert.equal(code, 0, stderr);
  const lines = (await readFile(join(folder, "out/log.ndjson"), "utf8")).trim().split("\n");
  const losses = lines.map((line) => JSON.parse(line).loss as number);
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  // v has variance 1 or less: who says nothing has a loss of about that times the weights
  assert.ok(mean(losses.slice(-10)) < 0.7 * mean(losses.slice(0, 5)), losses.join(", "));
  assert.ok(JSON.parse(stdout).best > 0);
});

withRuntime("a loss that explodes stops the run; the last good checkpoint stays", async () => {
  const { folder, config } = await prepare();
  const out = join(folder, "out");
  assert.equal((await cli("train", config, "-o", out)).code, 0);
  const before = await digest(join(out, "checkpoint.safetensors"));
  const { tensors } = await readSafetensors(join(out, "checkpoint.safetensors"));
  assert.ok(tensors.has("first.weight") && tensors.has("state.first"));
  await writeArray(join(folder, "noisy.npy"), volume(new Float32Array(1440).fill(1e38), [10, 12, 12]));
  await writeFile(config, JSON.stringify({ ...settings, steps: 30 }));
  const { code, stderr } = await cli("train", config, "-o", out, "--resume");
  assert.notEqual(code, 0);
  assert.match(stderr, /diverged at step 25/);
  assert.equal(await digest(join(out, "checkpoint.safetensors")), before);
});

test("says what is wrong with a config", async () => {
  const wrong: [object, RegExp][] = [
    [{ optimiser: {} }, /Did you mean optimizer\?/],
    [{ optimizer: { rat: 1 } }, /Did you mean rate\?/],
    [{ network: { kind: "dncnn", inChannels: 1, dept: 3 } }, /Did you mean depth\?/],
    [{ task: "diffusion" }, /"time": true/],
    [{ steps: 0 }, /at steps/],
    [
      { network: { kind: "srresnet", inChannels: 1 }, loss: { l1: 1, adversarial: { ...patchgan, detail: 5 } } },
      /detail expected .* a network that keeps the size/,
    ],
  ];
  for (const [change, sentence] of wrong) {
    const { folder, config } = await prepare(change);
    const { code, stderr } = await cli("train", config, "-o", join(folder, "out"));
    assert.equal(code, 3, stderr);
    assert.match(stderr, sentence);
  }
});

withRuntime("says what is wrong with the data", async () => {
  const { folder, config } = await prepare();
  const bad = randomFloats(1440, 1);
  bad[77] = Number.NaN;
  await writeArray(join(folder, "noisy.npy"), volume(bad, [10, 12, 12]));
  const nan = await cli("train", config, "-o", join(folder, "out"));
  assert.match(nan.stderr, /NaN or infinite values, the first at element 77/);
  await writeArray(join(folder, "noisy.npy"), volume(bad.slice(0, 720).fill(0), [5, 12, 12]));
  const fewer = await cli("train", config, "-o", join(folder, "out"));
  assert.match(fewer.stderr, /Expected 5 targets of \[12, 12\] .* holds 10 of/);
});

test.run();
