/** Networks in 8 bits: close to themselves in float32, the worst rounding left out, the calibration beside the weights. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { writeSafetensors } from "../../lib/data/safetensors.ts";
import { generate } from "../../lib/generate/index.ts";
import { Graph, quantize, relu } from "../../lib/graph/index.ts";
import { conv } from "../../lib/graph/ops/conv.ts";
import { applyTrained, loadTrained, quantizeTrained, type Trained } from "../../lib/models/index.ts";
import { type NetworkDescription, summarize } from "../../lib/networks/index.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("quantize");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const folder = temporaryFolder();
const scale = { offset: 0, factor: 1 / 1000 };
const denoiser: NetworkDescription = { kind: "dncnn", inChannels: 1, depth: 4, channels: 8 };
const prior: NetworkDescription = {
  kind: "unet",
  inChannels: 1,
  outChannels: 1,
  channels: [8, 8],
  blocks: 1,
  time: true,
};
const images = volume(randomFloats(6 * 24 * 20, 3).map((v) => 500 * v) as Float32Array<ArrayBuffer>, [6, 24, 20]);

function weightsOf(network: NetworkDescription, outlier = ""): Map<string, Float32Array> {
  const { parameterSpecs, bufferSpecs } = summarize(network, { batch: 1, size: [16, 16] });
  return new Map(
    [...parameterSpecs, ...bufferSpecs].map(({ name, shape }, i) => {
      const values = randomFloats(
        shape.reduce((a, b) => a * b, 1),
        i,
      ).map((v) => (/var/.test(name) ? 1 : 0.3 * v)) as Float32Array;
      // one weight so large that the others of its channels have few steps left
      if (name === outlier) for (let k = 0; k < values.length; k += values.length / shape[0]!) values[k] = 60;
      return [name, values];
    }),
  );
}

const assertRejects = (step: () => Promise<unknown>, code: string, message: RegExp) =>
  assert.rejects(step, (error: Error & { code?: string }) => error.code === code && message.test(error.message));

const psnr = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let [error, power] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    error += (a[i]! - b[i]!) ** 2;
    power += a[i]! ** 2;
  }
  return 10 * Math.log10(power / error);
};

test("a denoiser in 8 bits changes images as it does in float32, nearly, and not exactly", async () => {
  const trained: Trained = { network: denoiser, weights: weightsOf(denoiser), scale };
  const { calibration, report } = await quantizeTrained(trained, images, { threads: 1 });
  assert.ok(report.snrDb >= 30, `${report.snrDb}`);
  assert.equal(Object.keys(calibration).length + report.kept.length, report.convolutions);
  assert.ok(report.share > 0 && report.share <= 1);
  const float = await applyTrained(trained, images, { threads: 1 });
  const eight = await applyTrained({ ...trained, calibration }, images, { threads: 1 });
  const change = (y: { data: Float32Array }) => y.data.map((v, i) => v - images.data[i]!);
  const found = psnr(change(float), change(eight));
  assert.ok(found > 28 && found < 90, `${found} dB`);
});

test("the convolution that rounds worst stays in float32 where the others reach the mark", async () => {
  const { parameterSpecs } = summarize(denoiser, { batch: 1, size: [16, 16] });
  const convolutions = parameterSpecs.filter(({ shape }) => shape.length === 4).map(({ name }) => name);
  const worst = convolutions[1]!;
  const trained: Trained = { network: denoiser, weights: weightsOf(denoiser, worst), scale };
  const all = await quantizeTrained(trained, images, { threads: 1, snrDb: 1 });
  assert.deepEqual(all.report.kept, []);
  assert.equal(all.report.share, 1);
  const { report } = await quantizeTrained(trained, images, { threads: 1, snrDb: all.report.snrOfAllDb + 0.5 });
  assert.ok(report.kept.length > 0 && report.kept.length < convolutions.length, report.kept.join());
  assert.ok(report.snrDb >= all.report.snrOfAllDb + 0.5);
  assert.ok(report.share < 1);
});

test("the command writes weights and calibration, which sampling uses", async () => {
  const model = join(folder, "prior");
  await mkdir(model);
  const weights = weightsOf(prior);
  const { parameterSpecs } = summarize(prior, { batch: 1, size: [16, 16] });
  const tensors = new Map(parameterSpecs.map(({ name, shape }) => [name, { data: weights.get(name)!, shape }]));
  await writeSafetensors(join(model, "weights.safetensors"), { tensors, metadata: {} });
  const diffusion = { kind: "cosine", steps: 100, prediction: "v" };
  const card = {
    network: prior,
    input: { shape: [1, 1, 24, 20] },
    training: { task: "diffusion", data: { offset: 0, factor: 1 / 1000 }, diffusion },
  };
  await writeFile(join(model, "model.json"), JSON.stringify(card));
  await writeNpy(join(folder, "clean.npy"), images);
  await assertRejects(() => loadTrained(model, { precision: "int8" }), "ERR_SINO_MODEL", /sinogram quantize/);
  const out = join(folder, "prior8");
  const { code, stdout, stderr } = await cli(
    ...["quantize", model, "--images", join(folder, "clean.npy"), "-o", out, "--snr", "15", "--json", "--threads", "1"],
  );
  assert.equal(code, 0, stderr);
  const written = JSON.parse(readFileSync(join(out, "model.json"), "utf8"));
  assert.equal(JSON.parse(stdout).convolutions, written.int8.convolutions);
  assert.ok(Object.keys(written.int8.calibration).length > 0);
  const draw = { count: 1, seed: 5, steps: 3, threads: 1 };
  const float = await generate(await loadTrained(model), draw);
  const eight = await generate(await loadTrained(out, { precision: "int8" }), draw);
  assert.deepEqual((await generate(await loadTrained(out), draw)).data, float.data);
  const found = psnr(float.data, eight.data);
  assert.ok(found > 10 && found < 90, `${found} dB`);
});

test("one image, volumes, and another network's calibration are refused", async () => {
  const trained: Trained = { network: denoiser, weights: weightsOf(denoiser), scale };
  await assertRejects(
    () => quantizeTrained(trained, volume(images.data.slice(0, 480) as Float32Array<ArrayBuffer>, [1, 24, 20])),
    "ERR_SINO_SHAPE",
    /two images/,
  );
  await assertRejects(
    () => quantizeTrained({ ...trained, network: { ...prior, dimensions: 3 } }, images),
    "ERR_SINO_UNSUPPORTED",
    /slices/,
  );
  const graph = new Graph("g");
  const x = graph.input("x", [1, 1, 4, 4]);
  graph.output("y", relu(conv(x, graph.constant(new Float32Array(9), [1, 1, 3, 3], "w"), { padding: "same" })));
  assert.throws(() => quantize(graph, { other: { input: [0, 1], output: [0, 1] } }), { code: "ERR_SINO_MODEL" });
});

suite.run();
