/**
 * Pairs to train a network on that takes motion out of MR magnitude slices: every slice of some files (.npy, .nii or DICOM folders),
 * `--copies` times, at a random size, contrast and direction of the phase encoding, moved during its measurement, in crops of 256 × 256. Each
 * pair is brought to mean 0 and deviation 1 of its moved image. Writes input.npy and target.npy; the same seed makes the same pairs.
 *
 *     node --import tsx scripts/motion-pairs.ts drawn.npy MR_FOLDER --copies 4 --seed 1 -o motion-pairs
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ArrayLike, type Volume, volume } from "../lib/core/arrays.ts";
import { makeFolder } from "../lib/core/files.ts";
import { readArray, toFloat32 } from "../lib/data/array-files.ts";
import { readSeries } from "../lib/data/dicom/index.ts";
import { NpyAppender } from "../lib/data/npy.ts";
import { combine, statistics } from "../lib/image/pixels.ts";
import { resample } from "../lib/image/resample.ts";
import { simulateMotion } from "../lib/restore/degrade.ts";
import { deviationOf } from "../lib/restore/super-resolve.ts";
import { numbers } from "../lib/training/samples.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: "string", short: "o", default: "motion-pairs" },
    copies: { type: "string", default: "4" },
    seed: { type: "string", default: "1" },
  },
});
const [copies, seed, size] = [Number(values.copies), Number(values.seed), 256];

async function read(path: string): Promise<Volume> {
  if ((await stat(path)).isDirectory()) return (await readSeries(path, { anyModality: true })).volume;
  return toFloat32((await readArray(path)).array);
}

/** Values from 0 up, at most 1, in another contrast: bent, and in one of three bright where it was grey. */
function recontrasted(slice: Volume, minimum: number, maximum: number, next: () => number): Volume {
  const bend = 0.6 + 0.8 * next();
  const fold = next() < 1 / 3 ? 0.9 : 0;
  const data = slice.data.map((value) => {
    const v = Math.min(Math.max((value - minimum) / (maximum - minimum), 0), 1) ** bend;
    return v * (1 - fold * v);
  });
  return volume(data, slice.shape);
}

/** The middle of an image on a grid of `rows` × `columns`, zero where it has none. */
function centred(image: ArrayLike, rows: number, columns: number, corner?: readonly [number, number]): Volume {
  const [height, width] = image.shape as [number, number];
  const [y, x] = corner ?? [Math.floor((height - rows) / 2), Math.floor((width - columns) / 2)];
  const data = new Float32Array(rows * columns);
  for (let r = Math.max(0, -y); r < Math.min(rows, height - y); r++)
    for (let c = Math.max(0, -x); c < Math.min(columns, width - x); c++)
      data[r * columns + c] = image.data[(r + y) * width + c + x] as number;
  return volume(data, [rows, columns]);
}

function transposed({ data, shape }: Volume): Volume {
  const [rows, columns] = shape as [number, number];
  return volume(
    data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
    [columns, rows],
  );
}

async function moved(image: Volume, number: number, next: () => number): Promise<Volume> {
  const isPeriodic = next() < 0.3;
  const count = 1 + Math.floor(next() * (isPeriodic ? 11 : 4));
  const [degrees, pixels] = [isPeriodic ? 0 : 0.5 + 3 * next(), 0.5 + 3.5 * next()];
  const kind = isPeriodic ? "periodic" : "sudden";
  return (await simulateMotion(image, { kind, count, degrees, pixels, seed: seed * 100_000 + number })).image;
}

await makeFolder(values.output);
const [inputs, targets] = [
  await NpyAppender.open(join(values.output, "input.npy"), "float32", [size, size]),
  await NpyAppender.open(join(values.output, "target.npy"), "float32", [size, size]),
];
for (const path of positionals) {
  const all = await read(path);
  const [count, height, width] = all.shape as [number, number, number];
  for (let i = 0; i < count * copies; i++) {
    const next = numbers(seed, inputs.count);
    const from = Math.floor(i / copies) * height * width;
    const whole = volume(all.data.slice(from, from + height * width), [height, width]);
    const { minimum, maximum } = await statistics(whole);
    if (!(maximum > minimum)) continue;
    const scale = ((0.8 + 0.45 * next()) * size) / Math.max(height, width);
    const shape = [Math.round(height * scale), Math.round(width * scale)] as const;
    const coarse = recontrasted(await resample(whole, { shape, method: "area" }), minimum, maximum, next);
    const still = next() < 0.5 ? transposed(coarse) : coarse;
    const [rows, columns] = still.shape.map((n) => Math.max(size, 32 * Math.ceil(n / 32))) as [number, number];
    const clean = centred(still, rows, columns);
    const corrupted = await moved(clean, inputs.count, next);
    const corner = [Math.floor(next() * (rows - size + 1)), Math.floor(next() * (columns - size + 1))] as const;
    const seen = centred(corrupted, size, size, corner);
    const { mean } = await statistics(seen);
    const deviation = await deviationOf(seen, mean, {});
    for (const [file, image] of [
      [inputs, seen],
      [targets, centred(clean, size, size, corner)],
    ] as const) {
      await file.append((await combine([[1 / deviation, image]], { offset: -mean / deviation })).data);
    }
  }
}
await inputs.close();
await targets.close();
console.log(`${values.output}: ${inputs.count} pairs`);
