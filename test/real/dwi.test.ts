/** Real diffusion scans: two runs of one protocol on one day have one noise, and Patch2Self through the command line. */
import { join } from "node:path";
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readNifti } from "../../lib/data/nifti.ts";
import { readGradients, shellNear, shellsOf } from "../../lib/dwi/index.ts";
import { noiseOf } from "../../lib/dwi/noise.ts";
import { cli } from "../support/cli.ts";
import { noRealData, realData } from "../support/data.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("real diffusion scans");
const dwi = realData("dwi");
const withData = test.skipUnless(dwi !== undefined, noRealData);
const path = (name: string, ending: string) => join(dwi!, `dti_tra_dir16_${name}.${ending}`);

async function open(name: string): Promise<{ scan: Volume; bvals: readonly number[] }> {
  const { array } = await readNifti(path(name, "nii"));
  const { bvals } = await readGradients(path(name, "bval"), path(name, "bvec"), array.shape[0]);
  return { scan: volume(Float32Array.from(array.data as Float32Array), array.shape), bvals };
}

withData("the noise of two scans of one protocol", async () => {
  const found: number[] = [];
  for (const name of ["AP_9_134431", "PA_6_134431"]) {
    const { scan, bvals } = await open(name);
    const shell = shellNear(shellsOf(bvals));
    assert.is(shell.volumes.length, 16);
    found.push(await noiseOf(scan, shell, { device: "cpu" }));
  }
  // 3.95 and 4.05 in the units of the scanner
  assert.ok(Math.abs(found[0]! / found[1]! - 1) < 0.1, `${found}`);
});

withData("Patch2Self by the command: header, b-table and a structure score", async () => {
  const out = join(temporaryFolder(), "clean.nii.gz");
  const name = "AP_9_134431";
  const files = [path(name, "nii"), "--bval", path(name, "bval"), "--bvec", path(name, "bvec"), "-o", out];
  const run = await cli("denoise-dwi", ...files, "--method", "patch2self", "--json");
  assert.is(run.code, 0, run.stderr);
  const { structure, psnrToInput } = JSON.parse(run.stdout);
  assert.ok(structure > 0.5 && structure < 4 && psnrToInput > 20, run.stdout);
  const [before, after] = [await readNifti(path(name, "nii")), await readNifti(out)];
  assert.equal(after.array.shape, before.array.shape);
  assert.equal(after.affine, before.affine);
});

test.run();
