/**
 * FBP and projection of a series from JavaScript, on the processor and on every CUDA device that can be used: wall time per call, copies
 * included. Results are compared before they are timed.
 *
 *     node --import tsx bench/ops/device.bench.ts [slices]
 */
import { volume } from "../../lib/core/arrays.ts";
import { addon } from "../../lib/native/addon.ts";
import type { Device } from "../../lib/native/job.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project } from "../../lib/tomography/project.ts";
import { relativeError } from "../../test/support/assert-close.ts";
import { randomFloats } from "../../test/support/random.ts";

const slices = Number(process.argv[2] ?? 16);
const image = { shape: [512, 512], pixelMm: 0.7 } as const;
const geometries = {
  "parallel 720 × 729": parallelBeam({ bins: 729, binMm: 0.7, angles: { span: 180, count: 720 }, image }),
  "flat fan 984 × 736": fanBeam({
    detector: "flat",
    sod: 550,
    sdd: 950,
    bins: 736,
    binMm: 1.2,
    angles: fullScan(984),
    image,
  }),
};
const devices = addon()
  .describe()
  .devices.filter(({ usable }) => usable)
  .map(({ name }) => name as Device);

async function median(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < 6; turn++) {
    const start = performance.now();
    await call();
    if (turn > 0) times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[2]!;
}

for (const [name, geometry] of Object.entries(geometries)) {
  const images = volume(randomFloats(slices * 512 * 512, 1), [slices, 512, 512]);
  const sinograms = await project(images, geometry, { device: "cpu", route: "direct" });
  const expected = await fbp(sinograms, geometry, { device: "cpu", route: "direct" });
  for (const device of devices) {
    const options = { device, route: "direct" } as const;
    const projected = relativeError((await project(images, geometry, options)).data, sinograms.data);
    const reconstructed = relativeError((await fbp(sinograms, geometry, options)).data, expected.data);
    const projection = await median(() => project(images, geometry, options));
    const reconstruction = await median(() => fbp(sinograms, geometry, options));
    console.log(
      `${name}, ${slices} slices, ${device.padEnd(7)} project ${projection.toFixed(1)} ms (error ${projected.toExponential(1)})` +
        `   fbp ${reconstruction.toFixed(1)} ms (error ${reconstructed.toExponential(1)})`,
    );
  }
}
if (devices.length === 1) console.log("There is no usable CUDA device here; `sinogram doctor` says why.");
