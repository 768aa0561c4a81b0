/** `sinogram evaluate`: files, folders and DICOM series against their reference, rings, report, mistakes in words. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { writeNifti } from "../../lib/data/nifti.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { writePng } from "../../lib/data/png.ts";
import { ringErrors } from "../../lib/metrics/index.ts";
import { assertRejects } from "../support/assert-close.ts";
import { cli } from "../support/cli.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("evaluate command");

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const [slices, rows, columns] = [3, 24, 30];
const pixels = rows * columns;
const shape = [slices, rows, columns];
const reference = Float32Array.from({ length: slices * pixels }, (_, i) => 40 + ((i * 31) % 200) - 100);
/** Off by 5 HU everywhere, by 50 up to 4 pixels from the metal at (10, 12). */
const distance = (i: number) => Math.hypot((Math.floor(i / columns) % rows) - 10, (i % columns) - 12);
const result = reference.map((value, i) => value + (distance(i) <= 4 ? 50 : 5));
const mask = Uint8Array.from({ length: slices * pixels }, (_, i) => (distance(i) === 0 ? 1 : 0));
await writeNpy(at("reference.npy"), { data: reference, shape });
await writeNpy(at("result.npy"), { data: result, shape });
await writeNpy(at("metal.npy"), { data: mask, shape });
const pair = [at("result.npy"), at("reference.npy"), "--unit", "hu"];

const document = async (...args: string[]) => {
  const { code, stdout, stderr } = await cli("evaluate", ...args, "--json");
  assert.is(code, 0, stderr);
  return JSON.parse(stdout);
};
const refused = async (code: number, sentence: RegExp, ...args: string[]) => {
  const outcome = await cli("evaluate", ...args);
  assert.is(outcome.code, code, outcome.stderr);
  assert.match(outcome.stderr, sentence);
};

test("errors near the mask and far from it, the window said beside every figure", async () => {
  const found = await document(...pair, "--mask", at("metal.npy"), "--near", "4", "--window", "-160,240");
  assert.ok(
    Math.abs(found.rings.near - 50) < 1e-4 && Math.abs(found.rings.far - 5) < 1e-4,
    JSON.stringify(found.rings),
  );
  const near = Array.from({ length: pixels }, (_, i) => i).filter((i) => distance(i) > 0 && distance(i) <= 4).length;
  assert.equal([found.rings.nearCount, found.rings.farCount], [slices * near, slices * (pixels - 1 - near)]);
  assert.equal(found.window, [-160, 240]);
  const { stdout } = await cli("evaluate", ...pair, "--mask", at("metal.npy"), "--window", "-160,240");
  assert.match(stdout, /-160 to 240 HU, 3 slices/);
  assert.match(stdout, /near +[\d.]+ HU, to 20 pixels/);
});

test("rings: one mask for all slices, only some tissue, attenuation as well as HU, slices without metal", async () => {
  const images = { data: result, shape };
  const truth = { data: reference, shape };
  const one = { data: mask.subarray(0, pixels), shape: [rows, columns] };
  const tissue = [0, 60] as const;
  const options = { nearPixels: 4, tissue };
  const shared = await ringErrors(images, truth, { ...options, mask: one, unit: "hu" });
  const counted = (near: boolean) =>
    reference.filter((v, i) => v >= 0 && v < 60 && distance(i) > 0 && distance(i) <= 4 === near).length;
  assert.equal([shared.nearCount, shared.farCount], [counted(true), counted(false)]);
  const mu = (data: Float32Array) => ({ data: data.map((v) => 0.0192 * (1 + v / 1000)), shape });
  const inMu = await ringErrors(mu(result), mu(reference), { nearPixels: 4, mask: one });
  assert.ok(Math.abs(inMu.near - 50) < 0.01 && Math.abs(inMu.far - 5) < 0.01);
  const first = { data: mask.map((m, i) => (i < pixels ? m : 0)), shape };
  const some = await ringErrors(images, truth, { nearPixels: 4, mask: first, unit: "hu" });
  assert.is(some.nearCount * 3, (await ringErrors(images, truth, { nearPixels: 4, mask: one, unit: "hu" })).nearCount);
  const none = await ringErrors(images, truth, { mask: { data: mask.map(() => 0), shape }, unit: "hu" });
  assert.ok(Number.isNaN(none.near) && none.nearCount === 0 && none.farCount === slices * pixels);
  await assertRejects(() => ringErrors(images, truth, { mask: one, nearPixels: 0 }), "ERR_SINO_OUT_OF_RANGE");
});

test("several results stand in one table, and in one report", async () => {
  const args = [at("result.npy"), at("reference.npy"), at("reference.npy"), "--unit", "hu", "--mask", at("metal.npy")];
  const { code, stdout, stderr } = await cli("evaluate", ...args, "-o", at("report"));
  assert.is(code, 0, stderr);
  assert.match(stdout, /result\.npy +\d+\.\d+/);
  assert.match(stdout, /reference\.npy +Infinity/);
  const record = JSON.parse(readFileSync(at("report/evaluation.json"), "utf8"));
  assert.is(record.software, "sinogram");
  assert.is(record.results.length, 2);
  const page = readFileSync(at("report/report.html"), "utf8");
  assert.match(page, /Reference/);
  assert.match(page, /3 of 3 slices are embedded here, those with the largest errors/);
  await refused(3, /not empty/, ...args, "-o", at("report"));
  assert.is((await cli("evaluate", ...args, "-o", at("report"), "--overwrite")).code, 0);
});

test("folders are paired by name: PNG of DeepLesion, .npy", async () => {
  for (const [name, data] of [
    ["png", result],
    ["npy", reference],
  ] as const) {
    mkdirSync(at(name));
    for (let s = 0; s < slices; s++) {
      const slice = {
        data: Float32Array.from(data.subarray(s * pixels, (s + 1) * pixels), Math.round),
        shape: [rows, columns],
      };
      if (name === "png") await writePng(join(at(name), `slice${s}.png`), slice, { deepLesion: true });
      else await writeNpy(join(at(name), `slice${s}.npy`), slice);
    }
  }
  const found = await document(at("png"), at("npy"), "--deep-lesion");
  assert.is(found.unit, "hu");
  assert.equal(found.names, ["slice0", "slice1", "slice2"]);
  assert.ok(Math.abs(found.maxError ?? found.slices[0].maxError) === 50 && found.slices.length === 3);
  mkdirSync(at("less"));
  await writeNpy(join(at("less"), "slice0.npy"), { data: reference.subarray(0, pixels), shape: [rows, columns] });
  await writeNpy(join(at("less"), "slice9.npy"), { data: reference.subarray(0, pixels), shape: [rows, columns] });
  await refused(3, /npy has none for slice9/, at("less"), at("npy"));
  await writeNpy(join(at("less"), "slice8.npy"), { data: reference.subarray(0, 4), shape: [2, 2] });
  await refused(3, /images of one size/, at("less"), at("npy"));
});

test("DICOM series are HU", async () => {
  writeCtSeries(at("a"), 2, (i) => ({
    rows,
    columns,
    pixels: Int16Array.from(result.subarray(i * pixels, (i + 1) * pixels)),
  }));
  writeCtSeries(at("b"), 2, (i) => ({
    rows,
    columns,
    pixels: Int16Array.from(reference.subarray(i * pixels, (i + 1) * pixels)),
  }));
  const found = await document(at("a"), at("b"));
  assert.is(found.unit, "hu");
  assert.ok(found.slices.length === 2 && found.biasHu > 5 && found.biasHu < 20);
  await refused(2, /is in HU/, at("a"), at("b"), "--unit", "mu");
  await refused(3, /\[2, 24, 30\] and \[3, 24, 30\]/, at("a"), at("reference.npy"));
});

test("mistakes in words", async () => {
  await refused(2, /the reference/, at("result.npy"));
  await refused(2, /--mask/, ...pair, "--tissue", "0,100");
  await refused(3, /NaN/, await withNaN(), at("reference.npy"), "--unit", "hu");
  mkdirSync(at("empty"));
  writeFileSync(join(at("empty"), "notes.txt"), "nothing");
  await refused(3, /neither array files nor a CT series/, at("empty"), at("reference.npy"));
  await refused(3, /missing\.npy/, at("missing.npy"), at("reference.npy"));
});

async function withNaN(): Promise<string> {
  await writeNpy(at("nan.npy"), { data: result.map((value, i) => (i === 7 ? Number.NaN : value)), shape });
  return at("nan.npy");
}

test("masks: Dice and Hausdorff distances in mm, of volumes and of slices in folders", async () => {
  const ball = (middle: number) =>
    Uint8Array.from({ length: slices * pixels }, (_, i) => {
      return Math.floor(i / pixels) === 1 && Math.abs((i % columns) - middle) < 4 ? 1 : 0;
    });
  const [a, b] = [ball(12), ball(14)];
  for (const [name, data] of [
    ["a", a],
    ["b", b],
  ] as const)
    await writeNifti(at(`${name}.nii.gz`), { data, shape }, { spacing: [3, 0.5, 0.5] });
  const found = await document(at("a.nii.gz"), at("b.nii.gz"), "--masks");
  assert.equal([found.dimensions, found.unit], [3, "mm"]);
  // 7 columns each, 5 in common; the nearest border is 2 pixels away
  assert.ok(Math.abs(found.dice - 5 / 7) < 1e-9 && found.hausdorff === 1, JSON.stringify(found));
  mkdirSync(at("masks"));
  await writeNpy(at("masks/1.npy"), { data: a.subarray(pixels, 2 * pixels), shape: [rows, columns] });
  await writeNpy(at("masks/2.npy"), { data: a.subarray(0, pixels), shape: [rows, columns] });
  const each = await document(at("masks"), at("masks"), "--masks");
  assert.equal([each.dimensions, each.unit, each.dice, each.slices.length], [2, "pixels", 1, 2]);
  const { stdout } = await cli("evaluate", at("a.nii.gz"), at("b.nii.gz"), "--masks");
  assert.match(stdout, /one volume\nDice +0\.71429\nHausdorff 1\.000 mm \(95 %\), 1\.000 mm at most/);
  await refused(2, /--window is for images/, at("a.nii.gz"), at("b.nii.gz"), "--masks", "--window", "0,1");
  await refused(2, /--ms-ssim is for images/, at("a.nii.gz"), at("b.nii.gz"), "--masks", "--ms-ssim");
});

test("MS-SSIM where it is asked for", async () => {
  const large = Float32Array.from({ length: 180 * 190 }, (_, i) => 100 * Math.sin(i / 9) * Math.cos(i / 1777));
  await writeNpy(at("large.npy"), { data: large, shape: [180, 190] });
  await writeNpy(at("worse.npy"), { data: large.map((v, i) => v + 20 * Math.sin(i * i)), shape: [180, 190] });
  const files = [at("worse.npy"), at("large.npy"), "--unit", "hu", "--window", "-100,100"];
  const found = await document(...files, "--ms-ssim");
  assert.ok(found.msSsim > found.ssim && found.msSsim < 1, `${found.msSsim} and ${found.ssim}`);
  assert.is((await document(...files)).msSsim, undefined);
  await refused(3, /176 × 176 pixels/, ...pair, "--ms-ssim");
});

test.run();
