/** What is stated for the Fourier route: accuracy against closed forms, and an exact transpose where float32 sums are long. */
import * as assert from "uvu/assert";
import { parallelOf } from "../../bench/ops/accuracy.bench.ts";
import { volume } from "../../lib/core/arrays.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { parallelBeam } from "../../lib/tomography/geometry.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import { type Phantom, phantomImage, phantomSinogram, sheppLogan, smooth } from "../oracle/phantoms.ts";
import { pixelCentre } from "../oracle/rays.ts";
import { relativeError } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("Fourier route");
const route = "fourier";

async function errors(size: 256 | 512, phantom: Phantom): Promise<{ projection: number; rmse: number; psnr: number }> {
  const geometry = parallelOf(size);
  const image = phantomImage(phantom, geometry);
  const exact = phantomSinogram(phantom, geometry);
  const projected = await project(volume(image, geometry.image.shape), geometry, { route });
  const back = await fbp(volume(exact, projected.shape), geometry, { route });
  let squares = 0;
  let count = 0;
  for (let i = 0; i < image.length; i++)
    if (Math.hypot(...pixelCentre(geometry, Math.floor(i / size), i % size)) <= 0.475 * size) {
      squares += (back.data[i]! - image[i]!) ** 2;
      count++;
    }
  const rmse = Math.sqrt(squares / count);
  const range = image.reduce((a, b) => Math.max(a, b), 0) - image.reduce((a, b) => Math.min(a, b), 0);
  return { projection: relativeError(projected.data, exact), rmse, psnr: 20 * Math.log10(range / rmse) };
}

test("smooth phantom at 512", async () => {
  const { projection, psnr } = await errors(512, smooth(243.2));
  assert.ok(projection <= 7e-5, `projection error ${projection}`);
  assert.ok(psnr >= 90, `FBP PSNR ${psnr}`);
});

test("Shepp-Logan at 256", async () => {
  const { projection, rmse } = await errors(256, sheppLogan(128));
  assert.ok(projection <= 0.0114, `projection error ${projection}`);
  assert.ok(rmse <= 0.0218, `FBP RMSE ${rmse}`);
});

test("exact transpose: positive data, many views", async () => {
  const geometry = parallelBeam({
    bins: 367,
    binMm: 1,
    offsetBins: 0.25,
    angles: { span: 180, count: 1500 },
    image: { shape: [256, 200], pixelMm: [1, 1.2] },
  });
  for (const seed of [1, 2, 3]) {
    const next = randomSource(seed);
    const x = Float32Array.from({ length: 256 * 200 }, next);
    const y = Float32Array.from({ length: 1500 * 367 }, next);
    const ax = await project(volume(x, [256, 200]), geometry, { route });
    const aty = await projectTranspose(volume(y, [1500, 367]), geometry, { route });
    const left = ax.data.reduce((sum, v, i) => sum + v * y[i]!, 0);
    const right = aty.data.reduce((sum, v, i) => sum + v * x[i]!, 0);
    assert.ok(Math.abs(left - right) <= 1e-6 * left, `seed ${seed}: ${left} against ${right}: ${left / right - 1}`);
  }
});

test.run();
