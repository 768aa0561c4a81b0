/** Speed of projection, transpose and FBP through the public functions: medians, ms per slice, GUPS (pixel-view updates per ns). */
import { volume } from "../../lib/core/arrays.ts";
import { addon } from "../../lib/native/addon.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import { fanArc, fanFlatA, parallelOf } from "./accuracy.bench.ts";

const repeats = 7;

async function median(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run <= repeats; run++) {
    const start = performance.now();
    await call();
    if (run > 0) times.push(performance.now() - start); // the first warms up
  }
  return times.sort((a, b) => a - b)[repeats >> 1]!;
}

const rows: [string, Geometry][] = [
  ["parallel 256, 360×365", parallelOf(256)],
  ["parallel 512, 720×729", parallelOf(512)],
  ["flat fan 512, 640×641", fanFlatA],
  ["arc fan 512, 1000×900", fanArc],
];
const { simd, threads } = addon().describe();
console.log(`SIMD ${simd}, ${threads} threads; ms per slice (GUPS)\n`);
console.log(`${"geometry".padEnd(24)} slices       project      transpose            fbp`);
for (const [name, geometry] of rows)
  for (const slices of [1, 16]) {
    const [rows, columns] = geometry.image.shape;
    const images = volume(new Float32Array(slices * rows * columns).fill(0.01), [slices, rows, columns]);
    const sinograms = await project(images, geometry);
    const out = {
      sinograms: volume(sinograms.data.slice(), sinograms.shape),
      images: volume(images.data.slice(), images.shape),
    };
    const updates = 1e-6 * rows * columns * geometry.angles.length;
    const cell = async (call: () => Promise<unknown>) => {
      const ms = (await median(call)) / slices;
      return `${ms.toFixed(2).padStart(8)} (${(updates / ms).toFixed(1).padStart(4)})`;
    };
    console.log(
      name.padEnd(24),
      String(slices).padStart(6),
      await cell(() => project(images, geometry, { out: out.sinograms })),
      await cell(() => projectTranspose(sinograms, geometry, { out: out.images })),
      await cell(() => fbp(sinograms, geometry, { out: out.images })),
    );
  }
