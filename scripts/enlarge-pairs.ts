/**
 * Pairs to train a super-resolution network on: crops of slices (.npy, .nii), brought to mean 0 and deviation 1 by file, and the
 * same crops as coarser pixels show them (a Gaussian of the coarse pixel's width, then one pixel for every factor × factor), enlarged again
 * by Catmull-Rom. Writes input.npy and target.npy; the same seed makes the same pairs.
 *
 *     node --import tsx scripts/enlarge-pairs.ts ct/train.npy T1.nii.gz -o pairs --crops 3 --seed 1
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ArrayLike, type Volume, volume } from "../lib/core/arrays.ts";
import { makeFolder } from "../lib/core/files.ts";
import { readArray, toFloat32 } from "../lib/data/array-files.ts";
import { NpyAppender } from "../lib/data/npy.ts";
import { combine, statistics } from "../lib/image/pixels.ts";
import { coarserPixels } from "../lib/restore/degrade.ts";
import { deviationOf, enlarge } from "../lib/restore/super-resolve.ts";
import { numbers } from "../lib/training/samples.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: "string", short: "o", default: "pairs" },
    factor: { type: "string", default: "2" },
    size: { type: "string", default: "128" },
    crops: { type: "string", default: "2" },
    seed: { type: "string", default: "1" },
    /** Mean and deviation of each slice instead of all, as a stage of `sinogram sample` has them. */
    each: { type: "boolean", default: false },
  },
});
const [factor, size, crops] = [Number(values.factor), Number(values.size), Number(values.crops)];

/** A crop of a slice [row, column], contiguous. */
function cropOf({ data, shape }: Volume, row: number, column: number): Float32Array {
  const crop = new Float32Array(size * size);
  for (let r = 0; r < size; r++) {
    const at = (row + r) * shape[1]! + column;
    crop.set(data.subarray(at, at + size), r * size);
  }
  return crop;
}

await makeFolder(values.output);
const [inputs, targets] = [
  await NpyAppender.open(join(values.output, "input.npy"), "float32", [size, size]),
  await NpyAppender.open(join(values.output, "target.npy"), "float32", [size, size]),
];
let index = 0;
for (const path of positionals) {
  const { data, shape } = toFloat32((await readArray(path)).array);
  const [count, height, width] = shape as [number, number, number];
  const [rows, columns] = [height - (height % factor), width - (width % factor)];
  if (Math.min(rows, columns) < size)
    throw new Error(`${path}: slices of ${rows} × ${columns} are smaller than ${size}.`);
  const levelOf = async (of: ArrayLike) => {
    const { mean } = await statistics(of);
    return { mean, deviation: await deviationOf(of, mean, {}) };
  };
  const whole = values.each ? undefined : await levelOf({ data, shape });
  for (let slice = 0; slice < count; slice++) {
    const part = { data, shape: [rows, columns], stride: [width, 1], offset: slice * height * width };
    const { mean, deviation } = whole ?? (await levelOf(part));
    const sharp = await combine([[1 / deviation, part]], { offset: -mean / deviation });
    const coarse = await enlarge(await coarserPixels(sharp, { factor }), { factor, method: "cubic" });
    const next = numbers(Number(values.seed), index++);
    for (let k = 0; k < crops; k++) {
      // the best of a few places: not all air
      let best = { row: 0, column: 0, level: -Infinity };
      for (let tries = 0; tries < 4; tries++) {
        const [row, column] = [Math.floor(next() * (rows - size + 1)), Math.floor(next() * (columns - size + 1))];
        const at = { data: sharp.data, shape: [size, size], stride: [columns, 1], offset: row * columns + column };
        const level = (await statistics(at)).mean;
        if (level > best.level) best = { row, column, level };
      }
      await targets.append(cropOf(volume(sharp.data, [rows, columns]), best.row, best.column));
      await inputs.append(cropOf(volume(coarse.data, [rows, columns]), best.row, best.column));
    }
  }
}
await inputs.close();
await targets.close();
console.log(`${values.output}: ${inputs.count} pairs`);
