/**
 * How much better a network makes MR slices that moved: held-out slices (.npy, .nii or a DICOM folder), moved during their measurement, and
 * corrected. PSNR and SSIM over the span of each slice; how much energy lines of k-space gain, by the correction and by the truth; and what the
 * correction does to slices that never moved.
 *
 *     node --import tsx bench/restore/motion.ts --model run --every 10 T1.nii.gz T2.nii.gz
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readArray, toFloat32 } from "../../lib/data/array-files.ts";
import { readSeries } from "../../lib/data/dicom/index.ts";
import { statistics } from "../../lib/image/pixels.ts";
import { psnr, ssim } from "../../lib/metrics/index.ts";
import { restorationModel } from "../../lib/models/index.ts";
import { simulateMotion } from "../../lib/restore/degrade.ts";
import { correctMotion } from "../../lib/restore/motion.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string" },
    every: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    motions: { type: "string", default: "sudden,3,3,2;sudden,1.5,1.5,2;periodic,0,2,8" },
  },
});

async function read(path: string): Promise<Volume> {
  if ((await stat(path)).isDirectory()) return (await readSeries(path, { anyModality: true })).volume;
  return toFloat32((await readArray(path)).array);
}

const mean = (list: Float64Array): number => list.reduce((a, b) => a + b, 0) / list.length;

/** Every so many slices, from one on, without those that hold little: the outer ends. */
async function picked({ data, shape }: Volume): Promise<Volume> {
  const [count, rows, columns] = shape as [number, number, number];
  const size = rows * columns;
  const slices: Float32Array[] = [];
  const whole = (await statistics({ data, shape })).mean;
  for (let s = Number(values.from); s < count; s += Number(values.every)) {
    const slice = data.slice(s * size, (s + 1) * size);
    if ((await statistics({ data: slice, shape: [rows, columns] })).mean > whole) slices.push(slice);
  }
  const all = new Float32Array(slices.length * size);
  for (const [i, slice] of slices.entries()) all.set(slice, i * size);
  return volume(all, [slices.length, rows, columns]);
}

const model = await restorationModel(values.model ?? "run");
for (const path of positionals) {
  const clean = await picked(await read(path));
  const { maximum: range } = await statistics(clean);
  const judged = async (images: Volume) => ({
    psnr: mean(await psnr(images, clean, { range })),
    ssim: mean(await ssim(images, clean, { range })),
  });
  const line = (more: object) =>
    console.log(JSON.stringify({ slices: basename(path), count: clean.shape[0], ...more }));
  for (const motion of [...values.motions.split(";"), "none"]) {
    const [kind, degrees, pixels, count] = motion.split(",");
    const amount = { degrees: Number(degrees), pixels: Number(pixels), count: Number(count), seed: 5 };
    const moved =
      kind === "none" ? clean : (await simulateMotion(clean, { kind: kind as "sudden" | "periodic", ...amount })).image;
    const before = await judged(moved);
    const begun = process.cpuUsage();
    const { images, kept, added } = await correctMotion(moved, model, { threads: 1 });
    const { user, system } = process.cpuUsage(begun);
    const after = await judged(images);
    const gain = kind === "none" ? undefined : after.psnr - before.psnr;
    const seconds = (user + system) / 1e6 / clean.shape[0]!;
    line({ motion, before, after, gain, kept: mean(kept), added: Math.max(...added), cpuSecondsPerSlice: seconds });
  }
}
