/** Explanations of restorations: invented structure is found and reported, honest smoothing is not, maps show where a network looked. */
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { writeArray } from "../../lib/data/array-files.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { combine } from "../../lib/image/pixels.ts";
import { restorationModel } from "../../lib/models/index.ts";
import { normalNoise } from "../../lib/physics/noise.ts";
import { denoise } from "../../lib/restore/denoise.ts";
import { explainChange } from "../../lib/restore/explain.ts";
import { unsupportedStructure } from "../../lib/restore/support.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { writeModel } from "../support/models.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("explain");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
const n = 96;

const discs = (...list: readonly (readonly [row: number, column: number, radius: number, hu: number])[]): Volume =>
  volume(
    new Float32Array(n * n).map((_, i) =>
      list.reduce((sum, [r, c, radius, hu]) => {
        const inside = Math.hypot(Math.floor(i / n) - r, (i % n) - c) < radius;
        return sum + (inside ? hu : 0);
      }, -1000),
    ),
    [n, n],
  );

/** A body with two organs, and noise of 20 HU. */
async function noisyBody(): Promise<Volume> {
  const clean = await gaussian(discs([48, 48, 42, 1040], [34, 40, 9, 120], [60, 62, 6, -90]), { sigma: 0.7 });
  const noise = await normalNoise([n, n], { seed: 5 });
  return combine([
    [1, clean],
    [20, noise],
  ]);
}

const options = { least: -300, threads: 1 };

test("honest smoothers are supported, at any strength that is of use; so is what changes nothing", async () => {
  const noisy = await noisyBody();
  for (const [name, made] of [
    ["nothing", noisy],
    ["gaussian 1", await gaussian(noisy, { sigma: 1 })],
    ["gaussian 2", await gaussian(noisy, { sigma: 2 })],
    ["bm3d", await denoise(noisy, { method: "bm3d", sigma: 20 })],
    ["tv", await denoise(noisy, { method: "tv", sigma: 20 })],
    ["nlm", await denoise(noisy, { method: "nlm", sigma: 20 })],
  ] as const) {
    const { score, share } = await unsupportedStructure(noisy, made, options);
    assert.ok(score < 1 && share === 0, `${name}: ${score}`);
  }
});

test("an object that the input does not have is found, and where", async () => {
  const noisy = await noisyBody();
  const clean = await denoise(noisy, { method: "bm3d", sigma: 20 });
  for (const [radius, hu] of [
    [4, 80],
    [7, 50],
    [7, -60],
  ] as const) {
    const invented = await combine(
      [
        [1, clean],
        [1, discs([62, 34, radius, hu])],
      ],
      { offset: 1000 },
    );
    const { score, place, share } = await unsupportedStructure(noisy, invented, options);
    assert.ok(score > 1 && share > 0, `${radius}, ${hu}: ${score}`);
    assert.ok(Math.hypot(place[1] - 62, place[2] - 34) < 10, `${radius}, ${hu}: ${place}`);
  }
});

test("constant images, images of one pixel and batches are compared, too", async () => {
  for (const shape of [
    [1, 1],
    [2, 5, 7],
    [20, 30],
  ]) {
    const flat = volume(new Float32Array(shape.reduce((a, b) => a * b)).fill(3), shape);
    const { score, perSlice, map } = await unsupportedStructure(flat, flat, options);
    assert.equal(score, 0);
    assert.equal(perSlice.length, shape.length === 3 ? 2 : 1);
    assert.deepEqual([...map.shape], shape);
  }
  const other = volume(new Float32Array(6), [2, 3]);
  await assert.rejects(unsupportedStructure(other, volume(new Float32Array(6), [3, 2])), { code: "ERR_SINO_SHAPE" });
});

/** A network y = x + what `weights` says, of one hidden layer for each sign; nothing else. */
const modelFolder = (fill: (name: string, values: Float32Array) => void): Promise<string> => {
  const network = { kind: "dncnn", inChannels: 1, depth: 3, channels: 2, norm: "none" } as const;
  return writeModel(join(base, `model${made++}`), { network, fill, card: { unit: "HU", modality: "CT" } });
};
let made = 0;

// 3 × 3 windows, their middle at 4: h = relu(x + 1000 − 1200), h, y = x + 3 h: what is brighter than 200 HU becomes much brighter
const exaggerate = (name: string, values: Float32Array) => {
  if (name === "first.weight") values[4] = 1;
  if (name === "first.bias") values[0] = -200;
  if (name === "0.conv.weight") values[4] = 1;
  if (name === "last.weight") values[4] = -3;
};

test("attention and influence lie where the change comes from, and nowhere else", async () => {
  const model = await restorationModel(await modelFolder(exaggerate));
  const image = discs([48, 48, 42, 1040], [40, 40, 5, 300]);
  const { attention, influence } = await explainChange(image, model, [0, 40, 40], { threads: 1 });
  assert.deepEqual(
    [attention.shape, influence.shape],
    [
      [n, n],
      [n, n],
    ],
  );
  for (let i = 0; i < n * n; i++) {
    const inside = image.data[i]! > 200;
    assert.ok(Math.abs(attention.data[i]! - (inside ? 1 : 0)) < 1e-5, `attention ${i}: ${attention.data[i]}`);
    // d|3·(x − 200)|/dx
    assert.ok(Math.abs(influence.data[i]! - (inside ? 3 : 0)) < 1e-5, `influence ${i}: ${influence.data[i]}`);
  }
  // far from the place nothing is asked, but the window reaches there
  const far = await explainChange(image, model, [0, 80, 80], { threads: 1 });
  assert.ok(far.influence.data.every((v) => v === 0));
});

/** Stripes out of nothing: the sum of differences of neighbours, through a threshold that the noise exceeds now and then. */
const invent = (name: string, values: Float32Array) => {
  if (name === "first.weight") values[4] = 1;
  if (name === "first.bias") values[0] = -95;
  if (name === "0.conv.weight") values.fill(1, 0, 9);
  if (name === "last.weight") values.fill(-1.5, 0, 9);
};

test("--explain writes maps and words into the report, and warns of a network that invents an object", async () => {
  const noisy = await noisyBody();
  const input = join(base, "in.npy");
  await writeArray(input, noisy);
  for (const [name, fill, warns] of [
    ["honest", () => undefined, false],
    ["inventing", invent, true],
  ] as const) {
    const output = join(base, name, "out.npy");
    await mkdir(join(base, name));
    const model = await modelFolder(fill);
    const { code, stderr } = await cli(
      "denoise",
      input,
      "-o",
      output,
      "--model",
      model,
      "--modality",
      "ct",
      "--explain",
    );
    assert.equal(code, 0, stderr);
    assert.equal(/structure that the input does not support/.test(stderr), warns, `${name}: ${stderr}`);
    const html = await readFile(join(base, name, "report.html"), "utf8");
    assert.match(html, /Attention, %/);
    assert.match(
      html,
      warns ? /structure that the input does not support/ : /All structure of the result is supported/,
    );
  }
  const refused = await cli("denoise", input, "-o", join(base, "x.npy"), "--method", "nlm", "--explain");
  assert.equal(refused.code, 2);
});

suite.run();
