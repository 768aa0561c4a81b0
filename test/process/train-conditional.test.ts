/** Diffusion of targets given inputs: trained on drawn pairs, resumed, applied in tiles and by the command. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sizeOf, type Volume, volume } from "../../lib/core/arrays.ts";
import { readArray, writeArray } from "../../lib/data/array-files.ts";
import { generate } from "../../lib/generate/index.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { combine } from "../../lib/image/pixels.ts";
import { rmse } from "../../lib/metrics/index.ts";
import { applyTrained, loadTrained, openModel, quantizeTrained, restorationModel } from "../../lib/models/index.ts";
import { type NetworkDescription, networkModel, summarize } from "../../lib/networks/index.ts";
import { normalNoise } from "../../lib/physics/noise.ts";
import { parseTraining, train } from "../../lib/training/index.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { writeModel } from "../support/models.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("conditional diffusion");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
const at = (name: string) => join(base, name);

/** Smooth images of deviation 100 about 40, and noise of deviation 50 on them. */
async function pairs(count: number, pixels: number): Promise<{ clean: Volume; noisy: Volume }> {
  const shape = [count, pixels, pixels];
  const smooth = await gaussian(await normalNoise(shape, { seed: 1 }), { sigma: 4 });
  const clean = await combine([[200 * Math.sqrt(Math.PI) * 4, smooth]], { offset: 40 });
  const noise = await normalNoise(shape, { seed: 2 });
  return {
    clean,
    noisy: await combine([
      [1, clean],
      [50, noise],
    ]),
  };
}

const network = {
  kind: "unet",
  inChannels: 2,
  outChannels: 1,
  channels: [12, 16],
  blocks: 1,
  norm: "none",
  activation: "leaky-relu",
  time: true,
} as const;
const [input, target] = [at("noisy.npy"), at("clean.npy")];
const json = {
  network,
  task: "diffusion",
  data: { input, target, offset: 40, factor: 0.005, patch: [32, 32], flip: true, turn: true, validation: 0.25 },
  diffusion: { prediction: "v", residual: 4, steps: 100 },
  optimizer: { rate: 3e-3, clip: 1 },
  average: 0.9,
  steps: 150,
  batch: 4,
  validateEvery: 75,
  threads: 1,
};

const errorOf = async (a: Volume, b: Volume): Promise<number> => {
  const each = await rmse(a, b);
  return Math.sqrt(each.reduce((sum, e) => sum + e * e, 0) / each.length);
};

test("learns the target given the input; the same from a seed, better as a mean of drawings; tiles agree", async () => {
  const { clean, noisy } = await pairs(8, 48);
  await writeArray(input, noisy);
  await writeArray(target, clean);
  const folder = at("run");
  await train(parseTraining(json), { folder });
  const trained = await loadTrained(folder);
  const draw = (options: object) => applyTrained(trained, noisy, { threads: 1, steps: 6, ...options });
  const one = await draw({ seed: 3 });
  const found = await errorOf(one, clean);
  // 6 dB better than the input
  assert.ok(found < 25, `${found} of 50`);
  assert.deepEqual((await draw({ seed: 3 })).data, one.data);
  const [other, both] = [await draw({ seed: 4 }), await draw({ seed: 3, draws: 2 })];
  assert.ok((await errorOf(one, other)) > 1);
  const mean = await combine([
    [0.5, one],
    [0.5, other],
  ]);
  // float32 of values of some hundreds
  assert.ok((await errorOf(both, mean)) < 1e-3);
  assert.ok((await errorOf(both, clean)) < found);
  // noise belongs to pixels, not to tiles; the network looks 14 pixels far, and at edges sees zeros or, in tiles, a mirror
  const large = volume((await pairs(1, 96)).noisy.data, [96, 96]);
  const middle = async (options: object) => {
    const { data } = await applyTrained(trained, large, { threads: 1, steps: 3, seed: 3, ...options });
    return volume(
      data.filter((_, i) => [Math.floor(i / 96), i % 96].every((k) => k >= 40 && k < 56)),
      [1, 16, 16],
    );
  };
  // seams at 24, 48 and 72
  const apart = await errorOf(await middle({ tile: 64, margin: 20 }), await middle({}));
  assert.ok(apart < 0.01, String(apart));

  const clear = at("cleaned.npy");
  const command = ["denoise", input, "-o", clear, "--method", "network", "--model", folder, "--threads", "1"];
  const { code, stderr } = await cli(...command, "--steps", "6", "--seed", "3");
  assert.equal(code, 0, stderr);
  const { array } = await readArray(clear);
  assert.ok((await errorOf(array as Volume, one)) < 1e-3);
  const record = JSON.parse(await readFile(at("cleaned.json"), "utf8"));
  assert.deepEqual([record.steps, record.seed, record.draws], [6, 3, 1]);
  const explained = await cli(...command, "--explain", "--overwrite");
  assert.match(explained.stderr, /--explain is for networks that answer in one run/);
  const enlarged = await cli("super-resolve", input, "-o", at("l.npy"), "--method", "network", "--model", folder);
  assert.match(enlarged.stderr, /draws out of noise; super-resolve takes/);
  assert.deepEqual([explained.code, enlarged.code], [2, 5]);

  await assert.rejects(generate(trained, { seed: 1 }), /without targets/);
  await assert.rejects(quantizeTrained(trained, noisy), /stays in float32/);
  await assert.rejects(draw({ steps: 101 }), { code: "ERR_SINO_OUT_OF_RANGE" });
  await assert.rejects(draw({ draws: 0 }), { code: "ERR_SINO_OUT_OF_RANGE" });
  assert.equal((await restorationModel(folder)).factor, 1);
});

test("a run that was stopped and resumed ends with the same bits", async () => {
  const short = { ...json, steps: 6, validateEvery: 3 };
  const [whole, halves] = [at("whole"), at("halves")];
  await train(parseTraining(short), { folder: whole });
  await train(parseTraining({ ...short, steps: 3 }), { folder: halves });
  await train(parseTraining(short), { folder: halves, resume: true });
  const weights = (folder: string) => readFile(join(folder, "weights.safetensors"));
  assert.deepEqual(await weights(halves), await weights(whole));
});

test("a network that says zero draws nothing: the middle of its scale, or with a residual what it was given", async () => {
  const { noisy } = await pairs(4, 16);
  const folder = (name: string, inChannels: number, residual?: number) => {
    const diffusion = { prediction: "sample", steps: 100, residual };
    const training = { task: "diffusion", data: { offset: 40, factor: 0.005 }, diffusion };
    return writeModel(at(name), { network: { ...network, inChannels }, card: { training } });
  };
  const difference = await applyTrained(await loadTrained(await folder("difference", 2, 4)), noisy, { steps: 3 });
  // float32 of values of some hundreds
  assert.ok((await errorOf(difference, noisy)) < 1e-4);
  const three = volume(noisy.data.slice(0, 3 * 256), [1, 3, 16, 16]);
  const whole = await applyTrained(await loadTrained(await folder("several", 4)), three, { steps: 3 });
  assert.deepEqual([...whole.shape], [1, 16, 16]);
  assert.ok(whole.data.every((v) => Math.abs(v - 40) < 1e-4));
});

test("time reaches a network of every norm", async () => {
  for (const norm of ["group", "batch", "none"] as const) {
    const size = { batch: 2, size: [8, 8] };
    const of: NetworkDescription = { ...network, inChannels: 1, norm };
    const { parameterSpecs, bufferSpecs } = summarize(of, size);
    const weights = [...parameterSpecs, ...bufferSpecs].map(({ name, shape }, i) => {
      const data = randomFloats(sizeOf(shape), i) as Float32Array;
      return [name, name.endsWith("running_var") ? data.fill(1) : data] as const;
    });
    const model = await openModel(networkModel(of, new Map(weights), size), { provider: "cpu", threads: 1 });
    const x = { data: new Float32Array(128).fill(1), shape: [2, 1, 8, 8] };
    const { y } = await model.run({ x, t: { data: Float32Array.of(1, 30), shape: [2] } });
    await model.dispose();
    const data = y!.data as Float32Array;
    assert.ok(
      data.subarray(0, 64).some((v, i) => Math.abs(v - data[64 + i]!) > 1e-3),
      norm,
    );
  }
});

test("what does not fit is refused in words", async () => {
  const refused = (change: object, words: RegExp) => assert.throws(() => parseTraining({ ...json, ...change }), words);
  refused(
    { network: { ...network, inChannels: 1 } },
    /a residual expected twice as many channels in as out .* 1 and 1/,
  );
  refused({ network: { ...network, inChannels: 1 }, diffusion: {} }, /more channels in than out, the noisy target/);
  refused({ data: { input } }, /diffusion\.residual .* needs the task diffusion and data\.target/);
  refused({ data: { input }, diffusion: {} }, /without data\.target expected as many channels in as out/);
  refused({ network: { ...network, time: false } }, /"time": true/);
  const wide = { ...json, network: { ...network, inChannels: 3 }, diffusion: {}, steps: 1 };
  await assert.rejects(
    train(parseTraining(wide), { folder: at("wide") }),
    /expected 2 channels but .*noisy\.npy has 1/,
  );

  const plain = await writeModel(at("plain"), {
    network: { kind: "dncnn", inChannels: 1, depth: 3, channels: 4, norm: "none" },
    card: {},
  });
  const { noisy } = await pairs(1, 16);
  await assert.rejects(
    applyTrained(await loadTrained(plain), noisy, { steps: 4 }),
    /steps is for networks of the task/,
  );
  const by = (...options: string[]) => cli("denoise", input, "-o", at("no.npy"), ...options);
  const network1 = await by("--method", "network", "--model", plain, "--draws", "2");
  assert.match(network1.stderr, /draws is for networks of the task diffusion/);
  const classic = await by("--method", "nlm", "--seed", "2");
  assert.match(classic.stderr, /--seed is for networks/);
  assert.deepEqual([network1.code, classic.code], [3, 2]);
});

suite.run();
