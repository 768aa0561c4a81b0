/** The shipped geometries against measured and simulated scans of others. */
import { join, resolve } from "node:path";
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readArray } from "../../lib/data/array-files.ts";
import { combine, statistics } from "../../lib/image/pixels.ts";
import { fbp, scanOf } from "../../lib/tomography/fbp.ts";
import { parallelBeam } from "../../lib/tomography/geometry.ts";
import { readGeometry } from "../../lib/tomography/geometry-file.ts";
import { project } from "../../lib/tomography/project.ts";
import { noRealData, realData } from "../support/data.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("real reconstruction");
const shipped = (name: string) =>
  readGeometry(join(resolve(import.meta.dirname, "../.."), "examples/geometry", `${name}.json`));

/** Gaussian of σ = 0.5 pixels, separable, borders repeated. */
function blurred({ data, shape }: Volume): Float64Array {
  const [rows, columns] = shape as [number, number];
  const weights = [-2, -1, 0, 1, 2].map((n) => Math.exp(-(n * n) / 0.5));
  const total = weights.reduce((sum, w) => sum + w, 0);
  const pass = (from: ArrayLike<number>, at: (i: number, n: number) => number) =>
    Float64Array.from(from, (_, i) => weights.reduce((sum, w, n) => sum + (w / total) * from[at(i, n - 2)]!, 0));
  const across = pass(data, (i, n) => {
    const column = i % columns;
    return i - column + Math.max(0, Math.min(columns - 1, column + n));
  });
  return pass(across, (i, n) => {
    const row = Math.floor(i / columns);
    return i + (Math.max(0, Math.min(rows - 1, row + n)) - row) * columns;
  });
}

const xcist = realData("sinograms/xcist_equiangular_1000x900_f32.raw");

test.skipUnless(xcist, noRealData)("XCIST's arc scan agrees with XCIST's own reconstruction", async () => {
  const geometry = await shipped("aapm-ct-mar");
  const { array: sinogram } = await readArray(`${xcist}:1000x900:f32`);
  const { array: reference } = await readArray(`${realData("sinograms/xcist_reference_fdk_512_f32.raw")}:512x512:f32`);
  const hu = await combine([[1000 / 0.02, await fbp(sinogram, geometry)]], { offset: -1000 });
  const image = blurred(hu);
  // the circle of 400 mm that the reference is made for; in its corners it is noisier, 20.5 HU over the whole square
  let [squares, sum, count] = [0, 0, 0];
  for (let i = 0; i < image.length; i++) {
    if (Math.hypot(Math.floor(i / 512) - 255.5, (i % 512) - 255.5) > 256) continue;
    const difference = image[i]! - reference.data[i]!;
    squares += difference * difference;
    sum += difference;
    count++;
  }
  const [rms, bias] = [Math.sqrt(squares / count), sum / count];
  assert.ok(rms <= 20, `rms ${rms.toFixed(2)} HU`);
  assert.ok(Math.abs(bias) < 6, `bias ${bias.toFixed(2)} HU`); // the reference's kernel is not a plain ramp
});

const tooth = realData("sinograms/tomopy_tooth.h5");

test.skipUnless(tooth, noRealData)("a measured tooth, dark and flat corrected, about its centre", async () => {
  const [data, flats, darks, theta] = await Promise.all(
    ["data", "data_white", "data_dark", "theta"].map(
      async (name) => (await readArray(`${tooth}:/exchange/${name}`)).array,
    ),
  );
  const [views, rows, bins] = data!.shape as [number, number, number];
  const mean = ({ data: stack }: typeof flats & object, offset: number) => {
    let sum = 0;
    for (let n = 0; n < 10; n++) sum += stack[n * rows * bins + offset]!;
    return sum / 10;
  };
  const sinograms = new Float32Array(rows * views * bins);
  for (let row = 0; row < rows; row++)
    for (let view = 0; view < views; view++)
      for (let bin = 0; bin < bins; bin++) {
        const offset = row * bins + bin;
        const [dark, flat] = [mean(darks!, offset), mean(flats!, offset)];
        const passed = (data!.data[view * rows * bins + offset]! - dark) / (flat - dark);
        sinograms[(row * views + view) * bins + bin] = -Math.log(Math.max(passed, 1e-6));
      }
  const scan = (centre: number) =>
    parallelBeam({
      bins,
      binMm: 1,
      offsetBins: centre - (bins - 1) / 2,
      angles: theta!.data as Float64Array,
      image: { shape: [bins, bins], pixelMm: 1 },
    });
  assert.is(scanOf(scan(296)).coverage, "half");
  const roughness = async (centre: number) => {
    const images = await fbp(volume(sinograms, [rows, views, bins]), scan(centre), { filter: "hann" });
    let sum = 0;
    for (let i = bins; i < images.data.length; i++) sum += Math.abs(images.data[i]! - images.data[i - bins]!);
    return { sum, images };
  };
  const [right, early, late] = [await roughness(296), await roughness(288), await roughness(304)];
  // a wrong centre doubles every edge
  assert.ok(right.sum < early.sum && right.sum < late.sum, `${right.sum} ${early.sum} ${late.sum}`);
  const { mean: average, nonFinite } = await statistics(right.images);
  assert.ok(nonFinite === 0 && average > 0);
  const keep = process.env["SINOGRAM_KEEP_PICTURES"];
  if (keep) {
    const { windowPng } = await import("../../lib/report/pictures.ts");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(join(keep, "tooth.png"), await windowPng(right.images, 0, [-0.002, 0.012], {}));
  }
});

const htc = realData("sinograms/htc2022");

test.skipUnless(htc, noRealData)("the Helsinki scans turn the way the shipped geometry says", async () => {
  // the subsets are views of one disc: together 549 of them, enough to tell the two directions apart
  const rows = new Map<number, Float64Array>();
  for (const name of ["_90", "_80", "_70", "_60", "_50", "_40", "_30", ""]) {
    const file = `${htc}/tb_subsample${name}.mat:CtDataLimited.`;
    const [{ array: angles }, { array: sinogram }] = [
      await readArray(`${file}parameters.angles`),
      await readArray(`${file}sinogram`),
    ];
    for (const [i, angle] of angles.data.entries())
      rows.set(angle, Float64Array.from(sinogram.data.subarray(i * 560, (i + 1) * 560)));
  }
  const angles = [...rows.keys()].sort((a, b) => a - b);
  assert.is(angles.length, 549);
  const data = new Float32Array(angles.length * 560);
  for (const [i, angle] of angles.entries()) data.set(rows.get(angle)!, i * 560);
  const measured = volume(data, [angles.length, 560]);
  const shippedGeometry = await shipped("htc2022");
  const misfit = async (sign: 1 | -1) => {
    const geometry = { ...shippedGeometry, angles: Float64Array.from(angles), binMm: sign * shippedGeometry.binMm };
    const image = await fbp(measured, geometry, { filter: "hann" });
    const difference = await combine([
      [1, await project(image, geometry)],
      [-1, measured],
    ]);
    return Math.sqrt(difference.data.reduce((sum, d) => sum + d * d, 0) / difference.data.length);
  };
  const [right, wrong] = [await misfit(1), await misfit(-1)];
  assert.ok(right < 0.7 * wrong, `${right} against ${wrong}`);
});

test.run();
