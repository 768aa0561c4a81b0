/** Small networks out of large ones, and denoisers without clean images: pruning, a teacher, blind spots. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { writeArray } from "../../lib/data/array-files.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { combine } from "../../lib/image/pixels.ts";
import { rmse } from "../../lib/metrics/index.ts";
import { applyTrained, loadTrained, openModel } from "../../lib/models/index.ts";
import { type NetworkDescription, networkModel, pruneNetwork, summarize } from "../../lib/networks/index.ts";
import { normalNoise } from "../../lib/physics/noise.ts";
import { parseTraining, train } from "../../lib/training/index.ts";
import { assertClose } from "../support/assert-close.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("small networks");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();

const size = { batch: 1, size: [24, 24] };
const networks: NetworkDescription[] = [
  { kind: "dncnn", inChannels: 1, depth: 4, channels: 8 },
  { kind: "redcnn", inChannels: 1, channels: 6, kernel: 3 },
  { kind: "unet", inChannels: 1, outChannels: 1, channels: [4, 6], blocks: 1, norm: "none", residual: true },
];

async function outputOf(d: NetworkDescription, weights: ReadonlyMap<string, Float32Array>): Promise<Float32Array> {
  const model = await openModel(networkModel(d, weights, size), { provider: "cpu", threads: 1 });
  try {
    const x = { data: randomFloats(24 * 24, 7) as Float32Array, shape: [1, 1, 24, 24] };
    return (await model.run({ x }))["y"]!.data as Float32Array;
  } finally {
    await model.dispose();
  }
}

test("a pruned network computes what the whole one does with the weak channels at zero", async () => {
  for (const network of networks) {
    const { parameterSpecs, bufferSpecs } = summarize(network, size);
    const weights = new Map(
      [...parameterSpecs, ...bufferSpecs].map(({ name, shape }, i) => {
        const data = randomFloats(
          shape.reduce((a, b) => a * b, 1),
          i,
        ) as Float32Array;
        return [name, name.endsWith("running_var") ? data.fill(1) : data.map((v) => 0.5 * v)];
      }),
    ) as Map<string, Float32Array>;
    // of every layer the odd channels say nothing at all; it is those that have to go
    const { kind } = network;
    for (const { name, shape } of [...parameterSpecs, ...bufferSpecs]) {
      const isUp = name.startsWith("tconv") && name.endsWith("weight");
      const isInner = kind === "unet" ? /conv1|norm2/.test(name) : !/^last|^tconv5/.test(name);
      if (!isInner || name.endsWith("running_var")) continue;
      const axis = isUp ? 1 : 0;
      const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
      weights.get(name)!.forEach((_, i, all) => {
        if ((Math.floor(i / inner) % shape[axis]!) % 2 === 1) all[i] = 0;
      });
    }
    const pruned = pruneNetwork(network, weights, 0.5);
    assert.ok(summarize(pruned.network, size).parameters < 0.6 * summarize(network, size).parameters, kind);
    // float32 sums in another order
    assertClose(await outputOf(pruned.network, pruned.weights), await outputOf(network, weights), { atol: 1e-5 });
    assert.throws(() => pruneNetwork(network, weights, 1), { code: "ERR_SINO_OUT_OF_RANGE" });
  }
  const other: NetworkDescription = { kind: "n2n-unet", inChannels: 1 };
  assert.throws(() => pruneNetwork(other, new Map(), 0.3));
});

/** Smooth images of deviation 1, and noise of deviation 0.5 on them. */
async function pairs(count: number, pixels: number) {
  const white = await normalNoise([count, pixels, pixels], { seed: 1 });
  const smooth = await combine([[2 * Math.sqrt(Math.PI) * 4, await gaussian(white, { sigma: 4 })]]);
  const noise = await normalNoise([count, pixels, pixels], { seed: 2 });
  return {
    clean: smooth,
    noisy: await combine([
      [1, smooth],
      [0.5, noise],
    ]),
  };
}

const small: NetworkDescription = { kind: "dncnn", inChannels: 1, depth: 4, channels: 8, norm: "none" };

test("noise2void takes away noise that it never saw without", async () => {
  const { clean, noisy } = await pairs(8, 48);
  const input = join(base, "noisy.npy");
  await writeArray(input, noisy);
  const config = parseTraining({
    network: small,
    task: "noise2void",
    data: { input, patch: [32, 32], flip: true, turn: true, validation: 0.25 },
    optimizer: { rate: 5e-3, clip: 1 },
    average: 0.9,
    steps: 150,
    batch: 4,
    validateEvery: 50,
    threads: 1,
  });
  const folder = join(base, "blind");
  const { loss } = await train(config, { folder });
  const made = await applyTrained(await loadTrained(folder), noisy, { threads: 1 });
  const error = (await rmse(made, clean)).reduce((a, b) => a + b, 0) / 8;
  assert.ok(error < 0.3, `${error} of 0.5`);
  // the noise of the target is what nothing can predict: 0.25 of power
  assert.ok(loss > 0.15, String(loss));
});

test("what noise2void and a teacher do not go with is refused in words", () => {
  const data = { input: "a.npy" };
  const refused = (json: object, words: RegExp) =>
    assert.throws(() => parseTraining({ network: small, data, steps: 1, batch: 1, ...json }), words);
  refused({ task: "noise2void", data: { ...data, target: "b.npy" } }, /leave out data\.target/);
  refused({ task: "noise2void", data: { ...data, zoom: [1, 2] } }, /leave out data\.zoom/);
  refused({ task: "noise2void", loss: { ssim: 1 } }, /l1 or l2 instead of ssim/);
  refused({ task: "noise2void", teacher: "x" }, /task regression/);
});

test("prune makes a smaller model, which learns from its teacher; the card keeps what the commands ask", async () => {
  const { clean, noisy } = await pairs(6, 32);
  const [input, target, file] = ["in.npy", "clean.npy", "train.json"].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ];
  await writeArray(input, noisy);
  await writeArray(
    target,
    volume(
      clean.data.map((v) => v + 5),
      clean.shape,
    ),
  );
  const json = {
    network: small,
    data: { input, target, offset: 1, factor: 0.5 },
    optimizer: { rate: 5e-3 },
    average: 0,
    steps: 60,
    batch: 4,
    threads: 1,
  };
  await writeFile(file, JSON.stringify(json));
  const [whole, pruned, taught] = ["whole", "pruned", "taught"].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ];
  assert.equal((await cli("train", file, "-o", whole)).code, 0);
  const card = JSON.parse(await readFile(join(whole, "model.json"), "utf8"));
  await writeFile(join(whole, "model.json"), JSON.stringify({ ...card, modality: "MR" }));
  const cut = await cli("prune", whole, "--share", "0.5", "-o", pruned);
  assert.equal(cut.code, 0, cut.stderr);
  assert.match(cut.stdout, /parameters +\d+ instead of/);
  const smaller = JSON.parse(await readFile(join(pruned, "model.json"), "utf8"));
  assert.deepEqual([smaller.network.widths, smaller.modality], [{ first: 4, 0: 4, 1: 4 }, "MR"]);
  // targets of the file are zero: only the teacher knows of 5
  await writeArray(target, volume(new Float32Array(clean.data.length), clean.shape));
  const { code, stderr } = await cli(
    "prune",
    whole,
    "--share",
    "0.5",
    "--config",
    file,
    "--teacher",
    whole,
    "-o",
    taught,
  );
  assert.equal(code, 0, stderr);
  const mean = async (folder: string) => {
    const { data } = await applyTrained(await loadTrained(folder), noisy, { threads: 1 });
    return data.reduce((a, b) => a + b, 0) / data.length;
  };
  const [wanted, found] = [await mean(whole), await mean(taught)];
  assert.ok(Math.abs(wanted - 5) < 1 && Math.abs(found - wanted) < 1, `${wanted}, ${found}`);
  assert.equal(JSON.parse(await readFile(join(taught, "model.json"), "utf8")).modality, "MR");
});

suite.run();
