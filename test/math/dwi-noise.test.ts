/** How strong the noise of a diffusion scan is, and that no more than noise is taken away. */
import * as assert from "uvu/assert";
import { psnrInside, simulateDwi } from "../../bench/dwi/phantom.ts";
import { volume } from "../../lib/core/arrays.ts";
import { shellNear, shellsOf } from "../../lib/dwi/gradients.ts";
import { structureScore } from "../../lib/dwi/index.ts";
import { keepStructure } from "../../lib/dwi/keep-structure.ts";
import { leastEigenvalue, noiseOf } from "../../lib/dwi/noise.ts";
import { normalNoise } from "../../lib/physics/noise.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("noise of diffusion scans");
const whenRuns = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);

test("eigenvalues", () => {
  assert.is(leastEigenvalue(Float64Array.of(7), 1), 7);
  assert.ok(Math.abs(leastEigenvalue(Float64Array.of(2, 1, 1, 2), 2) - 1) < 1e-12);
  // the second difference of n points has the eigenvalues 2 − 2cos(kπ/(n + 1))
  const n = 31;
  const matrix = Float64Array.from({ length: n * n }, (_, k) => {
    const apart = Math.abs((k % n) - Math.floor(k / n));
    return apart === 0 ? 2 : apart === 1 ? -1 : 0;
  });
  assert.ok(Math.abs(leastEigenvalue(matrix, n) - (2 - 2 * Math.cos(Math.PI / (n + 1)))) < 1e-9);
});

for (const snr of [10, 25])
  test(`the noise of a scan of known noise, SNR ${snr}`, async () => {
    const scan = simulateDwi({ size: [6, 48, 40], directions: 14, snr });
    const found = await noiseOf(scan.noisy, shellNear(shellsOf(scan.bvals)), { device: "cpu" });
    // 4000 voxels say it to 2 %; magnitudes at SNR 10 are a little narrower than normal
    assert.ok(Math.abs(found / scan.sigma - 1) < 0.06, `${found} for ${scan.sigma}`);
  });

test("a scan without noise has none", async () => {
  const flat = volume(new Float32Array(3 * 60).fill(9), [3, 3, 4, 5]);
  assert.is(await noiseOf(flat, { b: 1000, volumes: [1, 2] }, { device: "cpu" }), 0);
});

whenRuns("what was taken beyond noise is given back, where it was taken", async () => {
  const scan = simulateDwi({ size: [3, 40, 44], directions: 10, snr: 20 });
  const shell = shellNear(shellsOf(scan.bvals));
  const voxels = 3 * 40 * 44;
  // noise without bias: the denoiser is asked for what it has to find
  const { data: normal } = await normalNoise(scan.clean.shape, { seed: 5 });
  const noisy = volume(
    scan.clean.data.map((signal, k) => signal + scan.sigma * normal[k]!),
    scan.clean.shape,
  );
  // a denoiser that loses a square in every volume, and is right elsewhere
  const lost = scan.clean.data.slice();
  const inSquare = (k: number) => {
    const [r, c] = [Math.floor(k / 44) % 40, k % 44];
    return r >= 12 && r < 22 && c >= 15 && c < 25;
  };
  for (let k = voxels; k < lost.length; k++) if (inSquare(k)) lost[k] = 0;
  const clean = volume(lost.slice(), scan.clean.shape);
  await keepStructure(noisy, clean, shell, scan.sigma, { threads: 1 });
  assert.ok(psnrInside(scan, clean) > psnrInside(scan, { data: lost }) + 6);
  // out of reach of Gaussian and windows
  const isFar = (k: number) => k >= voxels && (k % 44 > 33 || k % 44 < 7);
  const rms = (of: Float32Array) => {
    const list = [...of.keys()].filter(isFar).map((k) => (of[k]! - scan.clean.data[k]!) ** 2);
    return Math.sqrt(list.reduce((x, y) => x + y, 0) / list.length);
  };
  // 250 differences say σ² to a tenth: so much of the noise may come back where nothing was lost
  assert.ok(rms(clean.data) < 0.2 * rms(noisy.data), `${rms(clean.data)} of ${rms(noisy.data)}`);
  assert.equal(clean.data.subarray(0, voxels), lost.subarray(0, voxels), "other volumes stay");
});

whenRuns("contrast that one volume has lost, fainter than the noise of a pixel, is given back", async () => {
  const scan = simulateDwi({ size: [2, 40, 44], directions: 10, snr: 20 });
  const shell = shellNear(shellsOf(scan.bvals));
  const { data: normal } = await normalNoise(scan.clean.shape, { seed: 6 });
  const truth = scan.clean.data;
  const noisy = volume(
    truth.map((signal, k) => signal + scan.sigma * normal[k]!),
    scan.clean.shape,
  );
  const pixels = 40 * 44;
  const own = { from: 3 * 2 * pixels, to: 4 * 2 * pixels }; // volume 3
  const inDisc = (k: number) => Math.hypot((Math.floor(k / 44) % 40) - 20, (k % 44) - 22) < 9;
  const lost = truth.map((signal, k) => (k >= own.from && k < own.to && inDisc(k) ? signal - scan.sigma : signal));
  const part = (data: Float32Array) => volume(data.slice(own.from, own.to), [2, 40, 44]);
  const clean = volume(lost.slice(), scan.clean.shape);
  const structure = (data: Float32Array) => structureScore(part(noisy.data), part(data));
  assert.ok((await structure(lost)) > 1.7);
  await keepStructure(noisy, clean, shell, scan.sigma, { threads: 1 });
  // as the noise itself, and half of the error is gone
  assert.ok((await structure(clean.data)) < 1.1, `${await structure(clean.data)}`);
  const rms = (data: Float32Array) => Math.hypot(...part(data).data.map((x, k) => x - truth[own.from + k]!));
  assert.ok(rms(clean.data) < 0.6 * rms(lost), `${rms(clean.data)} of ${rms(lost)}`);
});

test.run();
