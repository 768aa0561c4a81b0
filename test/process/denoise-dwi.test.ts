/** `sinogram denoise-dwi`: what it writes beside the scan, and what it says of inputs that do not fit. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { simulateDwi } from "../../bench/dwi/phantom.ts";
import { readNifti, writeNifti } from "../../lib/data/nifti.ts";
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
