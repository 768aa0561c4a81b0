/** `sinogram denoise`: what comes in goes out the same way, and what a method or a model cannot take is refused in words. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readArray, writeArray } from "../../lib/data/array-files.ts";
import { readSeries } from "../../lib/data/dicom/index.ts";
import type { NetworkDescription } from "../../lib/networks/index.ts";
import { classicalDenoisers, denoise } from "../../lib/restore/denoise.ts";
import { quietPlaces } from "../../lib/restore/quiet.ts";
import { cli } from "../support/cli.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { writeModel } from "../support/models.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("denoise");
const test = suite;
const withNetworks = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
let made = 0;
const fresh = (ending = "") => join(base, `${made++}${ending}`);

/** A disk of 60 HU in air with noise of 20 HU. */
function disk(rows: number, columns: number, slices = 1, seed = 1): Volume {
  const noise = randomFloats(slices * rows * columns * 4, seed);
  const radius = 0.42 * Math.min(rows, columns);
  const data = new Float32Array(slices * rows * columns).map((_, i) => {
    const [r, c] = [Math.floor(i / columns) % rows, i % columns];
    const inside = Math.hypot(r - (rows - 1) / 2, c - (columns - 1) / 2) < radius;
    const z = [0, 1, 2, 3].reduce((sum, k) => sum + noise[4 * i + k]!, 0);
    return (inside ? 60 : -1000) + 20 * z * Math.sqrt(3 / 4);
  });
  return volume(data, slices === 1 ? [rows, columns] : [slices, rows, columns]);
}

async function stored(image: Volume, ending = ".npy"): Promise<string> {
  const path = fresh(ending);
  await writeArray(path, image);
  return path;
}

/** Root mean square around 60 HU in the middle of the disk. */
function noiseOf({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }): number {
  const [rows, columns] = shape.slice(-2) as [number, number];
  let [sum, count] = [0, 0];
  for (let r = Math.floor(0.35 * rows); r < 0.65 * rows; r++)
    for (let c = Math.floor(0.35 * columns); c < 0.65 * columns; c++, count++)
      sum += (data[r * columns + c]! - 60) ** 2;
  return Math.sqrt(sum / count);
}

const plain: NetworkDescription = {
  kind: "unet",
  inChannels: 1,
  outChannels: 1,
  channels: [4, 6],
  blocks: 1,
  norm: "none",
  unshuffle: 2,
  residual: true,
};

/** A folder as `sinogram train` leaves it. With deviation 0 the network gives what it is given. */
const modelFolder = (card: object = {}, deviation = 0, network: NetworkDescription = plain): Promise<string> => {
  const training = { data: { offset: 0, factor: 0.004 } };
  return writeModel(fresh(), { network, deviation, card: { training, modality: "CT", unit: "HU", ...card } });
};

test("every classic takes noise away and leaves the level, at any size", async () => {
  const image = disk(65, 72);
  for (const method of classicalDenoisers) {
    const clean = await denoise(image, { method, sigma: 20 });
    assert.ok(noiseOf(clean) < 0.7 * noiseOf(image), `${method}: ${noiseOf(clean)} of ${noiseOf(image)}`);
    for (const shape of [
      [1, 1],
      [1, 7],
      [3, 1, 1],
      [2, 9, 5],
    ])
      assert.deepEqual(
        [...(await denoise(volume(new Float32Array(shape.reduce((a, b) => a * b)).fill(3), shape), { method })).shape],
        shape,
      );
  }
  const bad = volume(Float32Array.of(1, Number.NaN), [1, 2]);
  await assert.rejects(denoise(bad, { method: "nlm" }), { code: "ERR_SINO_OUT_OF_RANGE" });
  await assert.rejects(denoise(image, { method: "nlm", strength: 0 }), { code: "ERR_SINO_OUT_OF_RANGE" });
});

test("quiet places are found inside the body, and say how loud the noise is", async () => {
  const places = await quietPlaces(disk(128, 128), { least: -300 });
  assert.ok(places && places.sigma > 14 && places.sigma < 22, String(places?.sigma));
  for (const [r, c] of places.regions) assert.ok(Math.hypot(r + 8 - 64, c + 8 - 64) < 54, `${r}, ${c}`);
  assert.equal(await quietPlaces(disk(8, 8)), undefined);
});

test("arrays keep their place; the record and the report say what was done", async () => {
  const [input, output] = [await stored(disk(96, 80, 3), ".nii.gz"), join(base, "out", "clean.nii.gz")];
  await mkdir(join(base, "out"));
  const { code, stdout, stderr } = await cli(
    "denoise",
    input,
    "-o",
    output,
    "--method",
    "nlm",
    "--modality",
    "ct",
    "--pixel-mm",
    "0.7",
    "--report",
    "--json",
  );
  assert.equal(code, 0, stderr);
  const [a, b] = [await readArray(input), await readArray(output)];
  assert.deepEqual([...b.array.shape], [3, 96, 80]);
  assert.deepEqual(b.meta.affine, a.meta.affine);
  assert.ok(noiseOf(b.array) < 0.7 * noiseOf(a.array));
  assert.equal(JSON.parse(stdout).method, "nlm");
  const record = JSON.parse(await readFile(join(base, "out", "clean.json"), "utf8"));
  assert.equal(record.unit, "HU");
  assert.ok(Math.abs(record.sigma - 18) < 4, String(record.sigma));
  const html = await readFile(join(base, "out", "report.html"), "utf8");
  assert.match(html, /Noise power in the \d+ quietest regions of slice 2/);
  assert.match(html, /strongest edge/);
});

test("pictures stay pictures of their depth; colour is refused", async () => {
  const grey = volume(
    Uint8Array.from({ length: 40 * 41 }, (_, i) => (i * 7) % 256),
    [40, 41],
  );
  const [input, output] = [fresh(".png"), fresh(".png")];
  await writeArray(input, grey);
  assert.equal((await cli("denoise", input, "-o", output, "--method", "median")).code, 0);
  const { array, meta } = await readArray(output);
  assert.deepEqual([meta.dtype, ...array.shape], ["uint8", 40, 41]);
  const colour = fresh(".png");
  await writeArray(colour, volume(new Uint8Array(4 * 4 * 3), [4, 4, 3]));
  const refused = await cli("denoise", colour, "-o", fresh(".png"), "--method", "median");
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /grey values .* colour image of 3 channels/);
});

withNetworks("a network that changes nothing gives every pixel back, padding too, in tiles of any size", async () => {
  const model = await modelFolder();
  for (const [rows, columns] of [
    [1, 1],
    [33, 50],
    [511, 530],
  ] as const) {
    const image = disk(rows, columns);
    image.data[0] = -2000;
    const [input, output] = [await stored(image), fresh(".npy")];
    const { code, stderr } = await cli("denoise", input, "-o", output, "--model", model);
    assert.equal(code, 0, stderr);
    const { data } = (await readArray(output)).array;
    assert.equal(data[0], -2000);
    // through (x − 0)·0.004 and back, in float32
    assert.ok(data.every((v, i) => Math.abs(v - image.data[i]!) < 1e-3));
  }
});

withNetworks("padding stays whatever the network says, and strength scales what it changes", async () => {
  const model = await modelFolder({}, 0.3);
  const image = disk(20, 24);
  image.data.fill(-2000, 0, 24);
  const input = await stored(image);
  const changes: Float64Array[] = [];
  for (const strength of ["1", "0.5"]) {
    const output = fresh(".npy");
    const { code, stderr } = await cli("denoise", input, "-o", output, "--model", model, "--strength", strength);
    assert.equal(code, 0, stderr);
    const { data } = (await readArray(output)).array;
    changes.push(Float64Array.from(data, (v, i) => v - image.data[i]!));
  }
  const [whole, half] = changes as [Float64Array, Float64Array];
  assert.ok(whole.subarray(0, 24).every((v) => v === 0));
  assert.ok(whole.subarray(24).some((v) => Math.abs(v) > 1));
  const largest = whole.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  // rounding of float32 at the size of the change
  assert.ok(whole.every((v, i) => Math.abs(v / 2 - half[i]!) < 1e-5 * largest + 1e-3));
});

withNetworks("a CT network refuses what is no CT in HU", async () => {
  const model = await modelFolder();
  const refusal = async (image: Volume | ReturnType<typeof volume<Uint8Array>>, ...more: string[]) => {
    const path = fresh(".npy");
    await writeArray(path, image);
    const { code, stderr } = await cli(
      "denoise",
      path,
      "-o",
      fresh(".npy"),
      "--model",
      model,
      "--method",
      "network",
      ...more,
    );
    assert.equal(code, 3, stderr);
    return stderr;
  };
  const of = (f: (v: number) => number) => volume(disk(20, 20).data.map(f), [20, 20]);
  assert.match(await refusal(disk(20, 20), "--modality", "mr"), /trained on CT, but .* is MR/);
  assert.match(await refusal(volume(new Uint8Array(400), [20, 20])), /8 bits/);
  assert.match(await refusal(of((v) => v / 1000)), /scaled to a window that nobody says/);
  assert.match(await refusal(of((v) => v + 1200)), /no value below 0/);
  assert.match(await refusal(of((v) => (v > 90 ? Number.NaN : v))), /NaN/);
  const missing = await cli("denoise", await stored(disk(9, 9)), "-o", fresh(".npy"), "--model", "nothing-of-the-kind");
  assert.equal(missing.code, 5);
  assert.match(missing.stderr, /no model nothing-of-the-kind/);
});

test("options that do not belong to a method are usage errors", async () => {
  const input = await stored(disk(9, 9));
  for (const more of [
    ["--method", "nlm", "--model", "x"],
    ["--method", "median", "--sigma", "3"],
    ["--strength", "0"],
    ["--method", "nlm", "--precision", "int8"],
  ])
    assert.equal((await cli("denoise", input, "-o", fresh(".npy"), ...more)).code, 2, more.join(" "));
});

test("a series becomes a derived series, the same one again; a truncated one is refused", async () => {
  const folder = fresh();
  const [first] = writeCtSeries(folder, 3);
  const [one, two] = [fresh(), fresh()];
  for (const output of [one, two]) {
    const { code, stderr } = await cli("denoise", folder, "-o", output, "--method", "gaussian", "--report");
    assert.equal(code, 0, stderr);
  }
  const [source, derived] = [await readSeries(folder), await readSeries(one)];
  assert.deepEqual([...derived.volume.shape], [...source.volume.shape]);
  assert.notEqual(derived.seriesUid, source.seriesUid);
  assert.equal(derived.seriesUid, (await readSeries(two)).seriesUid);
  assert.ok((await readdir(one)).includes("report.html"));
  const bytes = await readFile(first!);
  await writeFile(first!, bytes.subarray(0, bytes.length - 100));
  const refused = await cli("denoise", folder, "-o", fresh(), "--method", "gaussian");
  assert.equal(refused.code, 3, refused.stderr);
});

test("--volume takes all slices together, as far apart as the file or --slice-mm says", async () => {
  const image = disk(48, 40, 6);
  const file = fresh(".nii.gz");
  await writeArray(file, image, { spacing: [2, 0.5, 0.5] });
  const out = fresh(".npy");
  const given = ["--method", "tv", "--sigma", "20", "--strength", "0.5", "--volume"];
  const run = await cli("denoise", file, "-o", out, ...given, "--json");
  assert.equal(run.code, 0, run.stderr);
  const expected = await denoise(image, {
    method: "tv",
    sigma: 20,
    strength: 0.5,
    dimensions: 3,
    sampling: [2, 0.5, 0.5],
  });
  assert.deepEqual((await readArray(out)).array.data, expected.data);
  const found = JSON.parse(run.stdout);
  assert.deepEqual([found.dimensions, found.sampling], [3, [2, 0.5, 0.5]]);
  // noise falls alike in all directions; slice by slice it falls within slices more than between them
  const [before, after] = ratios(found);
  const apart = await cli("denoise", file, "-o", fresh(".npy"), ...given.slice(0, -1), "--json");
  assert.ok(ratios(JSON.parse(apart.stdout))[1]! > after!, apart.stdout);
  assert.ok(before! > 0.9 && before! < 1.1, `${before}`);

  const npy = await stored(image);
  const warned = await cli("denoise", npy, "-o", fresh(".npy"), ...given);
  assert.match(warned.stderr, /does not say how far its slices lie apart: taking one pixel. Say it with --slice-mm/);
  const said = await cli("denoise", npy, "-o", fresh(".npy"), ...given, "--slice-mm", "3", "--json");
  assert.deepEqual(JSON.parse(said.stdout).sampling, [3, 1, 1]);
  const flat = await cli("denoise", await stored(disk(30, 30)), "-o", fresh(".npy"), ...given);
  assert.equal(flat.code, 3);
  const bm3d = await cli("denoise", npy, "-o", fresh(".npy"), "--method", "bm3d", "--volume");
  assert.equal(bm3d.code, 2);
  assert.match(bm3d.stderr, /--volume is for --method nlm, tv, bilateral, gaussian; bm3d takes slices one by one/);
  assert.equal((await cli("denoise", npy, "-o", fresh(".npy"), "--method", "tv", "--slice-mm", "3")).code, 2);
});

const ratios = ({ facts }: { facts: Record<string, string> }) =>
  facts["Roughness between slices / within"]!.match(/[\d.]+/g)!.map(Number);

suite.run();
