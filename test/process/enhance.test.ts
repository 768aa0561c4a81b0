/** `sinogram super-resolve` and `sinogram enhance`: sizes, places, and what is refused. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { readArray, toFloat32, writeArray } from "../../lib/data/array-files.ts";
import { readSeries } from "../../lib/data/dicom/index.ts";
import { resample } from "../../lib/image/resample.ts";
import { rmse } from "../../lib/metrics/index.ts";
import { coarserPixels } from "../../lib/restore/degrade.ts";
import { cli } from "../support/cli.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { writeModel } from "../support/models.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("enhance");
const test = suite;
const withNetworks = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
let made = 0;
const fresh = (ending = "") => join(base, `${made++}${ending}`);

async function stored(shape: readonly number[], ending = ".npy", at = 100): Promise<string> {
  const path = fresh(ending);
  const n = shape.reduce((a, b) => a * b, 1);
  await writeArray(path, volume(randomFloats(n, 3).map((v) => at + 20 * v) as Float32Array<ArrayBuffer>, [...shape]), {
    spacing: shape.map(() => 2),
  });
  return path;
}

/** A network that gives what it is shown. */
const modelFolder = (card: object): Promise<string> => {
  const shared = { kind: "unet", inChannels: 1, outChannels: 1, blocks: 1, norm: "none", residual: true } as const;
  return writeModel(fresh(), { network: { ...shared, channels: [4] }, card });
};

test("interpolation doubles rows and columns over the same extent", async () => {
  const [input, output] = [await stored([3, 7, 1], ".nii.gz"), fresh(".nii.gz")];
  const { code, stderr } = await cli("super-resolve", input, "-o", output, "--method", "bicubic", "--report");
  assert.equal(code, 0, stderr);
  const { array, meta } = await readArray(output);
  assert.deepEqual([...array.shape], [3, 14, 2]);
  assert.deepEqual(meta.spacing, [2, 1, 1]);
});

withNetworks("a network is shown the interpolation, and gives it back in the images' unit", async () => {
  const model = await modelFolder({ factor: 2 });
  const [input, output] = [await stored([2, 21, 30]), fresh(".npy")];
  const { code, stderr } = await cli("super-resolve", input, "-o", output, "--method", "network", "--model", model);
  assert.equal(code, 0, stderr);
  const expected = await resample((await readArray(input)).array, { shape: [42, 60], method: "cubic" });
  const { data } = (await readArray(output)).array;
  // mean and deviation off and on again, in float32
  assert.ok(expected.data.every((v, i) => Math.abs(v - data[i]!) < 1e-3));
  const same = await cli(
    "super-resolve",
    input,
    "-o",
    fresh(".npy"),
    "--method",
    "network",
    "--model",
    await modelFolder({}),
  );
  assert.equal(same.code, 5);
  assert.match(same.stderr, /keeps the size of images: use it with denoise/);
  const larger = await cli("denoise", input, "-o", fresh(".npy"), "--model", model);
  assert.match(larger.stderr, /2 times as large: use super-resolve/);
});

withNetworks("what a consistent model makes shows the given images when it is made coarser again", async () => {
  const [input, output] = [await stored([2, 21, 30]), fresh(".npy")];
  const images = (await readArray(input)).array;
  const errorOf = async (card: object): Promise<number> => {
    const model = await modelFolder({ factor: 2, ...card });
    const { code, stderr } = await cli("super-resolve", input, "-o", output, "--method", "network", "--model", model);
    assert.equal(code, 0, stderr);
    const large = toFloat32((await readArray(output)).array);
    const [first, second] = await rmse(await coarserPixels(large, { factor: 2 }), images);
    return first! + second!;
  };
  const [free, consistent] = [await errorOf({}), await errorOf({ consistent: true })];
  // one step takes out what interpolation and blur let through: of white noise, the worst case, little (0.71)
  assert.ok(consistent < 0.8 * free, `${consistent} of ${free}`);
});

test("enhancing spreads grey values over the window; N4 is for MR", async () => {
  const [input, output] = [await stored([33, 41]), fresh(".npy")];
  for (const method of ["clahe", "equalize"]) {
    const { code, stderr } = await cli("enhance", input, "-o", output, "--method", method, "--window", "80,120");
    assert.equal(code, 0, stderr);
    const { data } = (await readArray(output)).array;
    const values = Array.from(data);
    assert.ok(Math.min(...values) >= 80 && Math.max(...values) <= 120 && Math.max(...values) > 110);
  }
  assert.equal((await cli("enhance", input, "-o", output, "--method", "n4", "--modality", "mr")).code, 0);
  const refused = await cli("enhance", input, "-o", output, "--method", "n4", "--modality", "ct");
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /n4 .* is CT: HU have none/);
});

test("a series is enhanced into a derived series, and enlarged into an array", async () => {
  const folder = fresh();
  writeCtSeries(folder, 2);
  const [derived, array] = [fresh(), fresh(".nii.gz")];
  assert.equal((await cli("enhance", folder, "-o", derived)).code, 0);
  assert.equal((await readSeries(derived)).volume.shape[0], 2);
  assert.equal((await cli("super-resolve", folder, "-o", array)).code, 0);
  const [, rows] = (await readSeries(folder)).volume.shape;
  assert.equal((await readArray(array)).array.shape[1], 2 * rows!);
  const refused = await cli("super-resolve", folder, "-o", fresh());
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /name a \.nii\.gz or \.npy file/);
});

suite.run();
