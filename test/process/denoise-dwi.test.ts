/** `sinogram denoise-dwi`: what it writes beside the scan, and what it says of inputs that do not fit. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { psnrInside, simulateDwi } from "../../bench/dwi/phantom.ts";
import { readNifti, writeNifti } from "../../lib/data/nifti.ts";
import { assertClose } from "../support/assert-close.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("denoise-dwi");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const scan = simulateDwi({ size: [3, 20, 24], directions: 10, snr: 20 });
await writeNifti(at("scan.nii.gz"), scan.noisy, { spacing: [5, 4, 2, 2], description: "a scan" });
writeFileSync(at("scan.bval"), `${scan.bvals.join(" ")}\n`);
writeFileSync(at("scan.bvec"), [0, 1, 2].map((k) => scan.directions.map((d) => d[k]).join(" ")).join("\n"));
writeFileSync(at("scan.json"), '{"EchoTime": 0.07, "Denoising": "none"}');
const table = ["--bval", at("scan.bval"), "--bvec", at("scan.bvec")];

test("Patch2Self: header, b-table, sidecar, report", async () => {
  const run = await cli(
    "denoise-dwi",
    at("scan.nii.gz"),
    ...table,
    "-o",
    at("out.nii.gz"),
    "--method",
    "patch2self",
    "--report",
    "--json",
  );
  assert.is(run.code, 0, run.stderr);
  const { files, structure } = JSON.parse(run.stdout);
  assert.is(files.length, 5);
  assert.ok(structure > 0.2 && structure < 3);
  const [before, after] = [await readNifti(at("scan.nii.gz")), await readNifti(at("out.nii.gz"))];
  assert.equal(after.array.shape, before.array.shape);
  assert.equal(after.affine, before.affine);
  assert.is(after.description, "a scan");
  for (const ending of ["bval", "bvec"])
    assert.equal(readFileSync(at(`out.${ending}`)), readFileSync(at(`scan.${ending}`)));
  const sidecar = JSON.parse(readFileSync(at("out.json"), "utf8"));
  assert.is(sidecar.EchoTime, 0.07);
  assert.is(sidecar.Denoising.method, "patch2self");
  assert.match(readFileSync(at("report.html"), "utf8"), /units of the scan/);
});

test.skipUnless(hasOnnxRuntime, noOnnxRuntime)(
  "Noise2Noise: a few steps, kept, then applied to another file",
  async () => {
    const keep = ["--keep", at("kept")];
    const first = await cli(
      "denoise-dwi",
      at("scan.nii.gz"),
      ...table,
      "-o",
      at("n2n.nii"),
      "--epochs",
      "2",
      ...keep,
      "--threads",
      "1",
    );
    assert.is(first.code, 0, first.stderr);
    const second = await cli(
      "denoise-dwi",
      at("scan.nii.gz"),
      ...table,
      "-o",
      at("again.nii"),
      "--model",
      at("kept"),
      "--threads",
      "1",
    );
    assert.is(second.code, 0, second.stderr);
    assert.equal(readFileSync(at("again.nii")), readFileSync(at("n2n.nii")));
  },
);

test("int16 with slope and intercept: the values that they mean are denoised, and written as such", async () => {
  // slope ½ and intercept −8: what a header of i2 with scl_slope and scl_inter says
  const stored = Int16Array.from(scan.noisy.data, (v) => Math.round((v + 8) / 0.5));
  await writeNifti(at("plain.nii"), { data: stored, shape: scan.noisy.shape }, { spacing: [5, 4, 2, 2] });
  const bytes = readFileSync(at("plain.nii"));
  bytes.writeFloatLE(0.5, 112);
  bytes.writeFloatLE(-8, 116);
  writeFileSync(at("sloped.nii"), bytes);
  const method = ["--method", "patch2self"];
  const sloped = await cli("denoise-dwi", at("sloped.nii"), ...table, "-o", at("sloped-out.nii"), ...method);
  assert.is(sloped.code, 0, sloped.stderr);
  const meant = Float32Array.from(stored, (v) => 0.5 * v - 8);
  await writeNifti(at("meant.nii"), { data: meant, shape: scan.noisy.shape }, { spacing: [5, 4, 2, 2] });
  const plain = await cli("denoise-dwi", at("meant.nii"), ...table, "-o", at("meant-out.nii"), ...method);
  assert.is(plain.code, 0, plain.stderr);
  const [a, b] = [await readNifti(at("sloped-out.nii")), await readNifti(at("meant-out.nii"))];
  assert.is(a.array.data.constructor, Float32Array);
  assert.equal(a.scaling, { slope: 1, intercept: 0 });
  assertClose(a.array.data as Float32Array, b.array.data as Float32Array, { atol: 1e-3 });
});

test.skipUnless(hasOnnxRuntime, noOnnxRuntime)(
  "a stored network cleans another scan, of other gain and size, without training",
  async () => {
    const other = simulateDwi({ size: [2, 27, 22], directions: 12, snr: 20, seed: 9 });
    const brighter = { data: other.noisy.data.map((v) => 7 * v), shape: other.noisy.shape };
    await writeNifti(at("other.nii"), brighter);
    writeFileSync(at("other.bval"), other.bvals.join(" "));
    writeFileSync(at("other.bvec"), other.directions.map((d) => d.join(" ")).join("\n"));
    const train = ["--epochs", "8", "--patches", "slices", "--keep", at("trained"), "--threads", "1"];
    const first = await cli("denoise-dwi", at("scan.nii.gz"), ...table, "-o", at("first.nii"), ...train);
    assert.is(first.code, 0, first.stderr);
    const files = [at("other.nii"), "--bval", at("other.bval"), "--bvec", at("other.bvec"), "-o", at("other-out.nii")];
    const apply = ["--model", at("trained"), "--threads", "1"];
    const second = await cli("denoise-dwi", ...files, ...apply);
    assert.is(second.code, 0, second.stderr);
    assert.match(second.stdout, /structure {9}\d/);
    const { array } = await readNifti(at("other-out.nii"));
    assert.equal(array.shape, other.noisy.shape);
    const data = (array.data as Float32Array).map((v) => v / 7);
    const [before, after] = [psnrInside(other, other.noisy), psnrInside(other, { data })];
    assert.ok(after > before + 2, `${before} → ${after} dB`);
    const missing = await cli("denoise-dwi", ...files.slice(0, -1), at("no.nii"), "--model", at("nothing"));
    assert.is(missing.code, 3, missing.stderr);
    assert.match(missing.stderr, /nothing/);
  },
);

test("inputs that do not fit", async () => {
  const says = async (args: string[], code: number, words: RegExp) => {
    const run = await cli("denoise-dwi", ...args);
    assert.is(run.code, code, run.stderr);
    assert.match(run.stderr, words, run.stderr);
  };
  writeFileSync(at("short.bval"), "0 1000 1000");
  const out = ["-o", at("never.nii.gz")];
  const [, bval, ...bvec] = table;
  await says([at("scan.nii.gz"), "--bval", at("short.bval"), ...bvec, ...out], 3, /expected 11 b-values.*found 3/);
  await says(
    [at("scan.nii.gz"), ...table, ...out, "--shell", "2000"],
    3,
    /b = 2000 ± 100 but found: 1000 \(10 volumes\)/,
  );
  // nothing but unweighted volumes: no shell
  writeFileSync(at("none.bval"), Array(11).fill(0).join(" "));
  await says([at("scan.nii.gz"), "--bval", at("none.bval"), ...bvec, ...out], 3, /a shell of weighted volumes.*none/);
  await says([at("scan.nii.gz"), "--bval", at("nowhere.bval"), ...bvec, ...out], 3, /nowhere\.bval/);
  // one weighted volume: nothing to predict it from, nothing to pair it with
  writeFileSync(at("one.bval"), "0 0 0 0 0 0 0 0 0 0 1000");
  writeFileSync(at("one.bvec"), "0 0 0 0 0 0 0 0 0 0 1\n0 0 0 0 0 0 0 0 0 0 0\n0 0 0 0 0 0 0 0 0 0 0");
  const single = [at("scan.nii.gz"), "--bval", at("one.bval"), "--bvec", at("one.bvec")];
  await says([...single, "-o", at("alone.nii.gz"), "--method", "patch2self"], 0, /1 directions: with fewer than ten/);
  await says([...single, ...out, "--method", "noise2noise"], 3, /at least two directions in a shell but found 1/);
  await says([at("scan.nii.gz"), ...table, "-o", at("x.npy")], 3, /\.nii/);
  await says([at("scan.nii.gz"), ...table, "-o", at("scan.nii.gz")], 3, /input of this command/);
  const one = { data: scan.noisy.data.slice(0, 1440), shape: [3, 20, 24] };
  await writeNifti(at("one.nii"), one);
  await says([at("one.nii"), ...table, ...out], 3, /4-D scan/);
  writeFileSync(at("cut.nii.gz"), readFileSync(at("scan.nii.gz")).subarray(0, 4000));
  await says([at("cut.nii.gz"), ...table, ...out], 3, /cut\.nii\.gz/);
  const bad = { data: scan.noisy.data.slice(), shape: scan.noisy.shape };
  bad.data[1500] = Number.NaN;
  await writeNifti(at("nan.nii"), bad);
  await says([at("nan.nii"), ...table, ...out, "--method", "patch2self"], 3, /NaN|finite/);
  assert.ok(bval);
});

test.run();
