/** `sinogram simulate`: datasets whole and the same after kill -9, options, sources of several kinds, mistakes in words. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import * as assert from "uvu/assert";
import { writeNpy } from "../../lib/data/npy.ts";
import { readNpz } from "../../lib/data/npz.ts";
import { parsePhysics, simulateScan } from "../../lib/physics/index.ts";
import { readGeometry } from "../../lib/tomography/geometry-file.ts";
import { assertClose } from "../support/assert-close.ts";
import { cli, ended, startCli } from "../support/cli.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("simulate command");

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

const n = 96;
const slices = 12;
writeFileSync(
  at("G.json"),
  JSON.stringify({
    beam: "fan",
    detector: "flat",
    sod: 400,
    sdd: 800,
    bins: 141,
    binMm: 4,
    angles: { span: 360, count: 120 },
    image: { shape: [n, n], pixelMm: 2.5 },
  }),
);
const inside = (i: number, r: number) => Math.hypot((i % n) - n / 2, (Math.floor(i / n) % n) - n / 2) < r;
const hu = Float32Array.from({ length: slices * n * n }, (_, i) =>
  inside(i, 38 + Math.floor(i / (n * n))) ? 40 : -1000,
);
await writeNpy(at("hu.npy"), { data: hu, shape: [slices, n, n] });
const masks = Uint8Array.from({ length: 2 * n * n }, (_, i) => (inside(i, i < n * n ? 4 : 7) ? 1 : 0));
await writeNpy(at("masks.npy"), { data: masks, shape: [2, n, n] });
const base = ["simulate", at("hu.npy"), "--geometry", at("G.json"), "--seed", "7"];
const metal = ["--metal", at("masks.npy"), "--material", "ti"];

const digests = (name: string) =>
  Object.fromEntries(
    readdirSync(join(at(name), "slices"))
      .sort()
      .map((file) => [
        file,
        createHash("sha256")
          .update(readFileSync(join(at(name), "slices", file)))
          .digest("hex"),
      ]),
  );
const manifest = (name: string) =>
  readFileSync(join(at(name), "manifest.ndjson"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

test("a slice of the dataset is what simulateScan gives, and the manifest says where it is from", async () => {
  const { code, stdout, stderr } = await cli(...base, ...metal, "--json", "-o", at("whole"));
  assert.is(code, 0, stderr);
  const report = JSON.parse(stdout);
  assert.equal([report.slices, report.resumed], [slices, 0]);
  const lines = manifest("whole");
  assert.equal(
    lines.map((line) => line.index),
    Array.from({ length: slices }, (_, i) => i),
  );
  assert.equal(lines[5].mask, { index: 1, pixels: masks.subarray(n * n).reduce((sum, m) => sum + m, 0) });
  assert.equal([lines[5].source, lines[5].slice, lines[5].seed], [at("hu.npy"), 5, 7]);
  assert.is(lines[5].sha256, digests("whole")["000005.npz"]);
  assert.is(existsSync(join(at("whole"), "journal.ndjson")), false);
  const { sinogram, trace, image } = await simulateScan(
    { data: hu.subarray(5 * n * n, 6 * n * n), shape: [n, n] },
    {
      geometry: await readGeometry(at("G.json")),
      physics: parsePhysics({}),
      metalMask: { data: masks.subarray(n * n), shape: [n, n] },
      seed: 7,
      firstSlice: 5,
    },
  );
  const file = join(at("whole"), "slices/000005.npz");
  const stored = async (key: string) => (await readNpz(file, key)).array;
  assertClose((await stored("sinogram")).data, sinogram.data, { atol: 1e-6 });
  assertClose((await stored("trace")).data, trace!.data, { atol: 0 });
  assertClose((await stored("image")).data, image.data, { atol: 0 });
  assert.equal([...(await stored("cleanSinogram")).shape], [120, 141]);
});

test("killed in the middle and resumed, the dataset has the same bytes", async () => {
  const args = [...base, ...metal, "-o", at("killed")];
  const child = startCli(args);
  const outcome = ended(child);
  const journal = join(at("killed"), "journal.ndjson");
  while (child.exitCode === null && !(existsSync(journal) && readFileSync(journal, "utf8").split("\n").length > 4))
    await after(5);
  child.kill("SIGKILL");
  await outcome;
  if (existsSync(journal)) writeFileSync(journal, `${readFileSync(journal, "utf8")}{"index":11,"fi`); // a line torn off
  assert.match((await cli(...args)).stderr, /a dataset is there already.*--resume/);
  const { code, stdout, stderr } = await cli(...args, "--resume", "--json");
  assert.is(code, 0, stderr);
  assert.ok(JSON.parse(stdout).resumed >= 4);
  assert.equal(digests("killed"), digests("whole"));
  assert.equal(manifest("killed"), manifest("whole"));
  const again = await cli(...args, "--resume", "--json");
  assert.is(JSON.parse(again.stdout).resumed, slices);
});

test("a resumed call must be the same call", async () => {
  const other = await cli(...base.slice(0, -1), "8", ...metal, "-o", at("whole"), "--resume");
  assert.is(other.code, 3);
  assert.match(other.stderr, /begun with another seed/);
  const dose = await cli(...base, ...metal, "--dose", "0.5", "-o", at("whole"), "--resume");
  assert.match(dose.stderr, /begun with another hashes|another physics/);
  writeFileSync(at("note.txt"), "mine");
  assert.match((await cli(...base, "-o", folder)).stderr, /not empty and holds no dataset/);
});

test("dose, spectrum and physics; slices and masks of another grid are brought to the geometry's", async () => {
  const m = 128;
  const big = Float32Array.from({ length: m * m }, (_, i) =>
    Math.hypot((i % m) - 63.5, Math.floor(i / m) - 63.5) < 50 ? 20 : -1000,
  );
  const mask = Uint8Array.from({ length: m * m }, (_, i) =>
    Math.hypot((i % m) - 63.5, Math.floor(i / m) - 63.5) < 8 ? 1 : 0,
  );
  await writeNpy(at("big.npy"), { data: big, shape: [m, m] });
  await writeNpy(at("mask.npy"), { data: mask, shape: [m, m] });
  writeFileSync(at("P.json"), JSON.stringify({ metal: { material: "fe" }, photons: 1e5, electronicNoise: 2 }));
  const { code, stderr } = await cli(
    ...["simulate", at("big.npy"), "--geometry", at("G.json"), "--physics", at("P.json"), "--metal", at("mask.npy")],
    ...["--material", "cocr", "--spectrum", "100kVp", "--dose", "0.25", "--seed", "1"],
    ...["-o", at("low")],
  );
  assert.is(code, 0, stderr);
  const dataset = JSON.parse(readFileSync(join(at("low"), "dataset.json"), "utf8"));
  assert.equal([dataset.physics.metal.material, dataset.physics.metal.density], ["cocr", 8.3]);
  assert.match(dataset.physics.spectrum.name, /tungsten 100 kVp/);
  assert.is(dataset.physics.dose, 0.25);
  const keys = await Promise.all(
    ["sinogram", "cleanSinogram", "fullDoseSinogram", "trace", "image", "mask"].map(
      async (key) => (await readNpz(join(at("low"), "slices/000000.npz"), key)).array.shape.length,
    ),
  );
  assert.equal(keys, [2, 2, 2, 2, 2, 2]);
});

test("DICOM series and array files together, in the order given; several series are told apart", async () => {
  const pixels = Int16Array.from({ length: 64 * 64 }, (_, i) =>
    Math.hypot((i % 64) - 32, Math.floor(i / 64) - 32) < 20 ? 50 : -1000,
  );
  const slice = (i: number, series: string) => ({
    rows: 64,
    columns: 64,
    pixels,
    slope: 1,
    intercept: 0,
    position: [0, 0, 5 * i],
    series,
  });
  writeCtSeries(at("dicom/a"), 2, (i) => slice(i, "1.2.3.100"));
  writeCtSeries(at("dicom/b"), 1, (i) => slice(i, "1.2.3.200"));
  const { code, stderr } = await cli("simulate", at("dicom"), ...base.slice(1), "-o", at("mixed"));
  assert.is(code, 0, stderr);
  const lines = manifest("mixed");
  assert.is(lines.length, 3 + slices);
  assert.equal(
    lines.slice(0, 4).map((line) => line.slice),
    [0, 1, 0, 0],
  );
  assert.match(lines[2].source, /dicom 1\.2\.3\./);
  assert.is(lines[3].source, at("hu.npy"));
  const { data } = (await readNpz(join(at("mixed"), "slices/000000.npz"), "image")).array;
  assert.ok(Math.abs(data[48 * n + 48]! - 0.0192 * 1.05) < 1e-6 && data[0] === 0);
});

test("mistakes are told in words", async () => {
  const refuse = async (code: number, pattern: RegExp, ...args: string[]) => {
    const found = await cli(...args);
    assert.is(found.code, code, found.stderr);
    assert.match(found.stderr, pattern);
  };
  const out = ["-o", at("none")];
  await refuse(2, /seed/, ...base.slice(0, -2), ...out);
  await refuse(2, /whole number/, ...base.slice(0, -1), "-1", ...out);
  await refuse(2, /name the mask too/, ...base, "--material", "ti", ...out);
  await refuse(3, /Did you mean titanium/, ...base, "--metal", at("masks.npy"), "--material", "titanum", ...out);
  await refuse(3, /spectrum by voltage/, ...base, "--spectrum", "soft", ...out);
  writeFileSync(at("eV.json"), JSON.stringify({ energiesKeV: [20_000, 60_000], photons: [1, 1] }));
  await refuse(3, /eV\? Divide by 1000/, ...base, "--spectrum", at("eV.json"), ...out);
  await writeNpy(at("empty.npy"), { data: new Uint8Array(n * n), shape: [n, n] });
  await refuse(3, /there is no metal/, ...base, "--metal", at("empty.npy"), ...out);
  await refuse(3, /does not exist|no such file/i, ...base.slice(0, 1), at("nowhere.npy"), ...base.slice(2), ...out);
  assert.is(existsSync(at("none")), false);
});

test.run();
