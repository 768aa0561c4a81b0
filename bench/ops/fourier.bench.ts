/**
 * The two routes of parallel-beam operations side by side: how exact (against closed-form line integrals) and how fast
 * (medians of interleaved runs, ms per slice). Sizes as arguments, default 256 512 1024.
 */
import { volume } from "../../lib/core/arrays.ts";
import { addon } from "../../lib/native/addon.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import type { Route } from "../../lib/tomography/route.ts";
import { phantomImage, phantomSinogram, sheppLogan, smooth } from "../../test/oracle/phantoms.ts";
import { pixelCentre } from "../../test/oracle/rays.ts";
import { relativeError } from "../../test/support/assert-close.ts";
import { parallelOf } from "./accuracy.bench.ts";

const compared = ["direct", "fourier"] as const satisfies Route[];

function geometryOf(size: number): Geometry {
  if (size === 256 || size === 512 || size === 1024) return parallelOf(size);
  return parallelBeam({
    bins: Math.ceil(size * Math.SQRT2) + 5,
    binMm: 1,
    angles: { span: 180, count: Math.round((size / 256) * 360) },
    image: { shape: [size, size], pixelMm: 1 },
  });
}

/** RMSE inside 0.95 of the half side, and the phantom's range. */
function deviation(image: Float32Array, truth: Float32Array, geometry: Geometry): { rmse: number; range: number } {
  const [rows, columns] = geometry.image.shape;
  let squares = 0;
  let count = 0;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      if (Math.hypot(...pixelCentre(geometry, r, c)) <= 0.475 * rows) {
        squares += (image[r * columns + c]! - truth[r * columns + c]!) ** 2;
        count++;
      }
  const range = truth.reduce((most, x) => Math.max(most, x), 0) - truth.reduce((least, x) => Math.min(least, x), 0);
  return { rmse: Math.sqrt(squares / count), range };
}

async function printAccuracy(size: number): Promise<void> {
  const geometry = geometryOf(size);
  for (const [name, phantom] of [
    ["Shepp-Logan", sheppLogan(size / 2)],
    ["smooth", smooth(0.475 * size)],
  ] as const) {
    const image = phantomImage(phantom, geometry);
    const exact = phantomSinogram(phantom, geometry);
    for (const route of compared) {
      const projected = await project(volume(image, geometry.image.shape), geometry, { route });
      const back = await fbp(volume(exact, projected.shape), geometry, { route });
      const { rmse, range } = deviation(back.data, image, geometry);
      console.log(
        `${String(size).padEnd(5)} ${name.padEnd(12)} ${route.padEnd(8)} projection ${relativeError(projected.data, exact).toExponential(2)}  FBP RMSE ${rmse.toFixed(5)}  PSNR ${(20 * Math.log10(range / rmse)).toFixed(1)} dB`,
      );
    }
  }
}

async function printSpeed(size: number, slices: number, repeats: number): Promise<void> {
  const geometry = geometryOf(size);
  const images = volume(new Float32Array(slices * size * size).fill(0.01), [slices, size, size]);
  const sinograms = await project(images, geometry, { route: "fourier" });
  const out = {
    images: volume(images.data.slice(), images.shape),
    sinograms: volume(sinograms.data.slice(), sinograms.shape),
  };
  const calls = {
    project: (route: Route) => project(images, geometry, { route, out: out.sinograms }),
    transpose: (route: Route) => projectTranspose(sinograms, geometry, { route, out: out.images }),
    fbp: (route: Route) => fbp(sinograms, geometry, { route, out: out.images }),
  };
  for (const [name, call] of Object.entries(calls)) {
    const times: Record<(typeof compared)[number], number[]> = { direct: [], fourier: [] };
    for (let run = 0; run <= repeats; run++)
      for (const route of compared) {
        const start = performance.now();
        await call(route);
        if (run > 0) times[route].push((performance.now() - start) / slices);
      }
    const [direct, fourier] = compared.map((route) => times[route].sort((a, b) => a - b)[repeats >> 1]!);
    console.log(
      `${String(size).padEnd(5)} ${String(slices).padStart(2)} slices  ${name.padEnd(9)} direct ${direct!.toFixed(2).padStart(8)} ms  fourier ${fourier!.toFixed(2).padStart(8)} ms  ratio ${(direct! / fourier!).toFixed(1)}`,
    );
  }
}

const sizes = process.argv.slice(2).map(Number);
const { simd, threads } = addon().describe();
console.log(`SIMD ${simd}, ${threads} threads`);
for (const size of sizes.length > 0 ? sizes : [256, 512, 1024]) {
  if (size <= 1024) await printAccuracy(size);
  for (const slices of size <= 512 ? [1, 16] : [1]) await printSpeed(size, slices, size <= 512 ? 7 : 3);
}
