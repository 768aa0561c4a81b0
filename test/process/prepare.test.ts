/** `sinogram prepare`: synthetic patients of every kind in, arrays and a manifest out. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { readArray, writeArray } from "../../lib/data/array-files.ts";
import { summarize } from "../../lib/networks/index.ts";
import { prepareSlices, splitOf } from "../../lib/prepare/index.ts";
import { parseTraining } from "../../lib/training/index.ts";
import { cli } from "../support/cli.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("prepare");
const base = temporaryFolder();
const size = 24;
let made = 0;
const fresh = () => join(base, String(made++));

/** HU of soft tissue with a gradient along rows, so that a mirrored slice is another one. */
const tissue = (row: number, column: number) => 10 * row + column;
const pixels = (metal: number) =>
  Int16Array.from({ length: size * size }, (_, i) => (i < metal ? 3000 : tissue(Math.floor(i / size), i % size)));

function series(folder: string, patient: string, count: number, change: (i: number) => Int16Array): string[] {
  const extra = [[0x00100020, "LO", patient]] as const;
  const uid = `1.2.3.${patient.length}${patient.charCodeAt(0)}`;
  return writeCtSeries(folder, count, (i) => ({ rows: size, columns: size, pixels: change(i), series: uid, extra }));
}

test("leaves out metal and empty slices, clips to the window, and says so in the manifest", async () => {
  const [folder, out] = [fresh(), fresh()];
  const air = new Int16Array(size * size).fill(-1000);
  const dense = pixels(0).fill(2400, 40, 60);
  series(folder, "P1", 20, (i) => (i === 3 ? pixels(20) : i === 17 ? air : i === 4 ? dense : pixels(i === 5 ? 5 : 0)));
  const { code, stdout } = await cli(
    "prepare", folder, "-o", out, "--split", "1,0,0", "--licence", "CC0", "--json", "--quiet",
  ); // biome-ignore format: a command line
  assert.equal(code, 0);
  const report = JSON.parse(stdout);
  assert.deepEqual([report.slices, report.kept, report.metal, report.empty], [20, 18, 1, 1]);
  const { array, meta } = await readArray(join(out, "train.npy"));
  assert.deepEqual([...array.shape], [18, size, size]);
  assert.equal(meta.dtype, "int16");
  assert.equal(array.get(0, 3, 4), tissue(3, 4));
  assert.equal(array.get(3, 1, 20), 2000, "dense bone is clipped to the window");
  const manifest = JSON.parse(await readFile(join(out, "manifest.json"), "utf8"));
  assert.equal(manifest.licence, "CC0");
  assert.deepEqual(manifest.scale, { offset: 500, factor: 2 / 3000 });
  assert.deepEqual([manifest.sources[0].metal, manifest.sources[0].empty], [[3], [17]]);
  assert.ok(!JSON.stringify(manifest.sources[0].patient).includes("P1"));
  assert.match(manifest.splits.train.sha256, /^[0-9a-f]{64}$/);
});

test("keeps a patient in one split, the same one whatever else is there", async () => {
  const folder = fresh();
  const patients = ["A", "BB", "CCC", "DDDD", "EEEEE", "FFFFFF"];
  for (const name of patients) series(join(folder, name), name, 3, () => pixels(0));
  const options = { shares: [0.5, 0.25, 0.25] as const, seed: 4, size: 16 };
  const report = await prepareSlices([folder], { ...options, folder: fresh() });
  const expected: Record<string, number> = {};
  for (const name of patients) {
    const split = splitOf(name, options.shares, options.seed);
    expected[split] = (expected[split] ?? 0) + 3;
  }
  assert.ok(Object.keys(expected).length > 1);
  assert.deepEqual({ ...report.splits }, expected);
  const one = await prepareSlices([join(folder, "CCC")], { ...options, folder: fresh() });
  assert.deepEqual(Object.keys(one.splits), [splitOf("CCC", options.shares, options.seed)]);
});

test("reads NIfTI as DICOM shows it, and writes -1 to 1", async () => {
  const out = fresh();
  const file = join(base, "sub-07_ct.nii.gz");
  const values = Float32Array.from({ length: 2 * size * size }, (_, i) => -1000 + i);
  // columns run to the right and rows to the front: both the other way round from DICOM's
  const affine = [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 2, 0],
  ];
  await writeArray(file, volume(values, [2, size, size]), { affine });
  await prepareSlices([file], { folder: out, scaled: true, shares: [0, 0, 1], window: [-1000, 1000] });
  const { array } = await readArray(join(out, "test.npy"));
  const last = size - 1;
  assert.equal(array.get(1, 2, 3), Math.fround((-1000 + size * size + (last - 2) * size + (last - 3)) / 1000));
});

test("reads DeepLesion by its CSV", async () => {
  const [folder, out] = [fresh(), fresh()];
  for (const [name, hu] of Object.entries({ "000001_01_01": 10, "000002_01_01": 20, "000003_02_01": 30 })) {
    await mkdir(join(folder, name), { recursive: true });
    const image = volume(new Int16Array(size * size).fill(hu), [size, size]);
    for (const slice of ["108", "109"])
      await writeArray(join(folder, name, `${slice}.png`), image, { deepLesion: true });
  }
  const csv = join(base, "DL_info.csv");
  const line = (file: string, split: number) => `${file},1,"226.1, 90.02, 241.5",${split}\r\n`;
  const head = "File_name,Patient_index,Bounding_boxes,Train_Val_Test\r\n";
  await writeFile(csv, head + line("000001_01_01_109.png", 3) + line("000003_02_01_109.png", 1));
  const { code } = await cli("prepare", folder, "--deep-lesion", csv, "-o", out, "--quiet");
  assert.equal(code, 0);
  assert.deepEqual((await readdir(out)).sort(), ["manifest.json", "test.npy", "train.npy"]);
  const { array } = await readArray(join(out, "train.npy"));
  assert.deepEqual([...array.shape, array.get(1, 0, 0)], [2, size, size, 30]);
  await writeFile(csv, "name,split\n");
  const refused = await cli("prepare", folder, "--deep-lesion", csv, "-o", fresh());
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /expected a column File_name/);
});

test("refuses what it cannot prepare, and leaves nothing behind", async () => {
  const refused = async (pattern: RegExp, ...args: string[]) => {
    const out = fresh();
    const { code, stderr } = await cli("prepare", ...args, "-o", out);
    assert.notEqual(code, 0);
    assert.match(stderr, pattern);
    await assert.rejects(readdir(out));
  };
  const empty = fresh();
  await mkdir(empty);
  await refused(/found none among 0 files/, empty);
  const oblong = join(base, "oblong.npy");
  await writeArray(oblong, volume(new Float32Array(2 * 6 * 8), [2, 6, 8]));
  await refused(/Expected square slices/, oblong);
  const bad = join(base, "bad.npy");
  await writeArray(bad, volume(new Float32Array(36).fill(Number.NaN, 7, 9), [6, 6]));
  await refused(/2 values that are NaN/, bad);
  const small = join(base, "small.npy");
  await writeArray(small, volume(new Float32Array(25), [5, 5]));
  const large = join(base, "large.npy");
  await writeArray(large, volume(new Float32Array(49), [7, 7]));
  await refused(/one size/, small, large);
  const kept = fresh();
  await assert.rejects(prepareSlices([large, small], { folder: kept }), /one size/);
  assert.deepEqual(await readdir(kept), []);
  await refused(/add up to 1/, small, "--split", "0.5,0.5,0.5");
  await refused(/three shares/, small, "--split", "1");
  const picture = join(base, "picture.png");
  await writeArray(picture, volume(new Uint8Array(25), [5, 5]));
  await refused(/does not say what HU/, picture);
  await refused(/All 1 slices/, small, "--metal-hu", "-2000", "--metal-pixels", "1");
});

test("the example trains on what prepare makes, at the size that it is made for", async () => {
  const path = join(import.meta.dirname, "../../examples/train/ct-prior.json");
  const { network, data } = parseTraining(JSON.parse(await readFile(path, "utf8")), path);
  for (const side of [data.patch![0]!, 416, 512]) {
    const { flops, parameters } = summarize(network, { batch: 1, size: [side, side] });
    assert.ok(flops / side ** 2 < 60_000, `${flops / side ** 2} operations per pixel`);
    assert.ok(parameters * 4 < 20e6);
  }
});

test.run();
