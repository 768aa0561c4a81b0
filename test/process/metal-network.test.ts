/**
 * Metal by a network, with networks whose answer is known: one without weights gives x − 0, so that a pixel is metal from `offset` HU on.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { fileDigest } from "../../lib/core/digest.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { writeSafetensors } from "../../lib/data/safetensors.ts";
import { correctImages, segmentMetal, segmentMetalByNetwork } from "../../lib/mar/index.ts";
import { loadTrained, type Trained } from "../../lib/models/index.ts";
import { assertRejects } from "../support/assert-close.ts";
import { cli } from "../support/cli.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("metal by a network");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();

const n = 40;
/** Squares of HU in water: [row, column, side, HU]. */
const images = (...slices: (readonly [number, number, number, number])[][]) => {
  const data = new Float32Array(slices.length * n * n);
  slices.forEach((squares, s) => {
    for (const [row, column, side, hu] of squares)
      for (let r = row; r < row + side; r++) data.fill(hu, (s * n + r) * n + column, (s * n + r) * n + column + side);
  });
  return volume(data, [slices.length, n, n]);
};
const hu = images(
  // with a dark hole, which is closed, and a speck, which is dropped
  [
    [10, 10, 6, 4000],
    [12, 12, 2, -500],
    [30, 30, 1, 5000],
  ],
  [],
  [
    [5, 20, 3, 3000],
    [20, 5, 4, 2200],
  ],
);

interface Weights {
  bias?: number;
  last?: number;
}
const centre = (value: number) => Float32Array.of(0, 0, 0, 0, value, 0, 0, 0, 0);
const tensors = ({ bias = 0, last = 0 }: Weights) =>
  new Map([
    ["first.weight", { data: centre(1), shape: [1, 1, 3, 3] }],
    ["first.bias", { data: Float32Array.of(bias), shape: [1] }],
    ["0.conv.weight", { data: centre(1), shape: [1, 1, 3, 3] }],
    ["0.conv.bias", { data: Float32Array.of(0), shape: [1] }],
    ["last.weight", { data: centre(last), shape: [1, 1, 3, 3] }],
    ["last.bias", { data: Float32Array.of(0), shape: [1] }],
  ]);
const network = { kind: "dncnn", inChannels: 1, depth: 3, channels: 1, norm: "none" } as const;
const from = (
  offset: number,
  { range = [-1, 1], ...weights }: Weights & Partial<Pick<Trained, "range">> = {},
): Trained => ({
  network,
  weights: new Map([...tensors(weights)].map(([name, { data }]) => [name, data])),
  scale: { offset, factor: 1 / 4000 },
  range,
  isSegmentation: true,
});
const threads = 1;

test("cleaned as the threshold's mask is, with its holes and margin", async () => {
  for (const options of [{}, { minimumPixels: 1, dilatePixels: 2 }]) {
    const expected = await segmentMetal(hu, { ...options, metalHu: 2600 });
    const found = await segmentMetalByNetwork(hu, from(2600), { ...options, threads });
    for (const name of ["metal", "support"] as const) assert.equal(found[name].data, expected[name].data, name);
    assert.equal(found.pixels, expected.pixels);
    assert.equal(found.by, ["network", "network", "network"]);
    assert.equal(found.warnings, []);
  }
  const one = volume(hu.data.slice(0, n * n), [n, n]);
  assert.equal((await segmentMetalByNetwork(one, from(2600), { threads })).metal.shape, [n, n]);
  const { metal } = await segmentMetalByNetwork(hu, from(2600), { threads, probability: 1 });
  assert.ok(metal.data.every((v) => v === 0));
});

test("what the threshold misses is found, and corrected images take it", async () => {
  const found = await segmentMetalByNetwork(hu, from(2000), { threads });
  assert.equal(found.pixels, [36, 0, 25]);
  assert.equal((await segmentMetal(hu)).pixels, [36, 0, 9]);
  const corrected = await correctImages(hu, { pixelMm: 1, found });
  assert.equal(corrected.metalPixels, [36, 0, 25]);
  assert.equal(corrected.changed, [true, false, true]);
  await assertRejects(
    () => correctImages(volume(hu.data.slice(0, n * n), [1, n, n]), { pixelMm: 1, found }),
    "ERR_SINO_SHAPE",
  );
});

test("a part that stays dark everywhere is no metal, one with a bright pixel is", async () => {
  const bone = images([
    [5, 5, 5, 3000],
    [15, 15, 5, 1400],
    [26, 26, 5, 900],
    [27, 27, 1, 1600],
    [34, 2, 3, 1000],
  ]);
  const found = await segmentMetalByNetwork(bone, from(800), { threads });
  assert.equal(found.pixels, [50]);
  assert.equal((await segmentMetalByNetwork(bone, from(800), { threads, leastHu: 1000 })).pixels, [84]);
});

test("a mask far larger than the threshold's is not believed", async () => {
  const skull = images(
    [
      [5, 5, 4, 3000],
      [14, 14, 20, 1700],
    ],
    [[5, 5, 6, 1700]],
    [[5, 5, 7, 1700]],
  );
  const found = await segmentMetalByNetwork(skull, from(1500), { threads });
  // 36 pixels are few enough to be taken where nothing reaches the threshold, 49 are not
  assert.equal(found.by, ["threshold", "network", "threshold"]);
  assert.equal(found.pixels, [16, 36, 0]);
  assert.match(found.warnings.join(), /more than 4 times what reaches 2500 HU in slice 0, 2; the threshold's is used/);
  const all = await segmentMetalByNetwork(skull, from(1500), { threads, mostArea: 30 });
  assert.equal(all.by, ["network", "network", "threshold"]);
});

test("a network is shown no values that it never saw", async () => {
  // beyond 1.2 of its scaled values this one says no
  const shy = { bias: -1.2, last: 10 };
  const strong = images([[5, 5, 4, 20000]]);
  assert.equal((await segmentMetalByNetwork(strong, from(2000, { ...shy, range: [-1, 1] }), { threads })).pixels, [16]);
  assert.equal((await segmentMetalByNetwork(strong, from(2000, { ...shy, range: [-1, 9] }), { threads })).pixels, [0]);
});

test("other networks, damaged ones and images with NaN are refused", async () => {
  const refused = async (image: typeof hu, trained: Trained, code: string, words: RegExp) => {
    const { message } = await assertRejects(() => segmentMetalByNetwork(image, trained, { threads }), code);
    assert.match(message, words);
  };
  await refused(
    hu,
    { ...from(2000), isSegmentation: false },
    "ERR_SINO_MODEL",
    /one mask of one slice .* another task/,
  );
  await refused(
    hu,
    { ...from(2000), network: { ...network, inChannels: 3 } },
    "ERR_SINO_MODEL",
    /3 channels in and 3 out/,
  );
  await refused(hu, from(2000, { last: Number.NaN }), "ERR_SINO_MODEL", /answered with NaN/);
  const broken = volume(hu.data.slice().fill(Number.NaN, 7, 8), hu.shape);
  await refused(broken, from(2000), "ERR_SINO_OUT_OF_RANGE", /NaN/);
});

async function modelFolder(name: string, card: object = {}, task = "segmentation"): Promise<string> {
  const folder = join(base, name);
  await mkdir(folder);
  const file = join(folder, "weights.safetensors");
  await writeSafetensors(file, { tensors: tensors({}), metadata: {} });
  const data = { offset: 2000, factor: 1 / 4000 };
  const text = { name, network, weightsSha256: (await fileDigest(file)).sha256, training: { task, data }, ...card };
  await writeFile(join(folder, "model.json"), JSON.stringify(text));
  return folder;
}

test("sinogram mar --metal-model: the metal, its record, and models that do not fit", async () => {
  const [input, output] = [join(base, "hu.npy"), join(base, "out.npy")];
  await writeNpy(input, hu);
  const model = await modelFolder("tiny", { unit: "HU" });
  const asked = ["mar", input, "--pixel-mm", "1", "-o", output, "--json", "--threads", "1"];
  const { code, stdout, stderr } = await cli(...asked, "--metal-model", model, "--report");
  assert.is(code, 0, stderr);
  const { metalPixels, metalModel } = JSON.parse(stdout);
  assert.equal(metalPixels, [36, 0, 25]);
  assert.is(metalModel.name, "tiny");
  const record = JSON.parse(await readFile(join(base, "out.json"), "utf8"));
  assert.equal(record.metalModel ?? record.details?.metalModel, metalModel);
  assert.match(await readFile(join(base, "report.html"), "utf8"), /by the network tiny, in 2 of 3 slices/);
  const found = await segmentMetalByNetwork(hu, await loadTrained(model), { threads });
  const { hu: expected } = await correctImages(hu, { pixelMm: 1, found });
  assert.equal((await readNpy(output)).array.data, expected.data);

  const refused = async (name: string, words: RegExp) => {
    const result = await cli(...asked, "--metal-model", name);
    assert.is(result.code, 5, result.stderr);
    assert.match(result.stderr, words);
    assert.match(result.stderr, /ERR_SINO_MODEL/);
  };
  await refused("nothing-like-it", /There is no model nothing-like-it/);
  await refused(await modelFolder("denoiser", {}, "regression"), /gives no masks/);
  await refused(await modelFolder("of-mr", { unit: "arbitrary" }), /segments images in arbitrary/);
  const both = ["mar", "--sinogram", input, "--geometry", input, "-o", output, "--metal-model", model];
  assert.is((await cli(...both)).code, 2);
});

test("a series by --metal-model is another series than one by the threshold", async () => {
  const folder = join(base, "series");
  const pixels = (i: number) => Int16Array.from(hu.data.subarray(i * n * n, (i + 1) * n * n));
  writeCtSeries(folder, 3, (i) => ({ rows: n, columns: n, pixels: pixels(i) }));
  const model = await modelFolder("of-series");
  const corrected = async (out: string, ...more: string[]) => {
    const { code, stdout, stderr } = await cli("mar", folder, "-o", join(base, out), "--json", "--report", ...more);
    assert.is(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const plain = await corrected("plain");
  const asked = ["--metal-model", model, "--threads", "1"];
  const [first, second] = [await corrected("first", ...asked), await corrected("second", ...asked)];
  assert.is(first.seriesUid, second.seriesUid);
  assert.is.not(first.seriesUid, plain.seriesUid);
  const record = await readFile(join(base, "first", "sinogram.json"), "utf8");
  assert.match(record, /"metalModel":\s*\{\s*"name":\s*"of-series"/);
  assert.match(await readFile(join(base, "first", "report.html"), "utf8"), /metal by the network of-series in 2/);
});

suite.run();
