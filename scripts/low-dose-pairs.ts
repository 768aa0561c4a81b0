/**
 * Pairs to train a denoiser of low-dose CT on: every slice of some .npy files of HU, `--copies` times, at a random share of its dose
 * (from `--dose`, evenly in its logarithm), pixel size and reconstruction filter, through the sinogram. Writes input.npy and
 * target.npy, in the order of the files; the same seed makes the same pairs.
 *
 *     node --import tsx scripts/low-dose-pairs.ts ct/train.npy -o pairs --copies 2 --seed 1
 */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Volume, volume } from "../lib/core/arrays.ts";
import { makeFolder } from "../lib/core/files.ts";
import { toFloat32 } from "../lib/data/array-files.ts";
import { NpyAppender, readNpy } from "../lib/data/npy.ts";
import { clip } from "../lib/image/pixels.ts";
import { storeSlices } from "../lib/native/ops.ts";
import { lowDoseImages } from "../lib/restore/low-dose.ts";
import type { FilterName } from "../lib/tomography/fbp.ts";
import { numbers } from "../lib/training/samples.ts";

/** What scanners write. */
const [lowest, highest] = [-1024, 3071];

/** A slice at a random dose between two shares of its own, number `index` of a seed. */
export async function drawnDose(slice: Volume, dose: readonly [number, number], seed: number, index: number) {
  const next = numbers(seed, index);
  const fraction = dose[0] * (dose[1] / dose[0]) ** next();
  const pixelMm = 0.6 + 0.35 * next();
  const sharp = next();
  const filter: FilterName = sharp < 0.75 ? "hann" : sharp < 0.9 ? "cosine" : "shepp-logan";
  const cutoff = 0.55 + 0.45 * next();
  return lowDoseImages(slice, { fraction, pixelMm, filter, cutoff, seed, stream: index });
}

if (resolve(process.argv[1] ?? "") === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: "string", short: "o", default: "pairs" },
      copies: { type: "string", default: "1" },
      dose: { type: "string", default: "0.05,0.7" },
      seed: { type: "string", default: "1" },
    },
  });
  const [low = 0.05, high = 0.7] = values.dose.split(",").map(Number);
  await makeFolder(values.output);
  const files: NpyAppender[] = [];
  let index = 0;
  for (const path of positionals) {
    const hu = await toFloat32((await readNpy(path)).array);
    const [count, rows, columns] = hu.shape as [number, number, number];
    if (files.length === 0)
      for (const name of ["input.npy", "target.npy"])
        files.push(await NpyAppender.open(join(values.output, name), "int16", [rows, columns]));
    const size = rows * columns;
    for (let i = 0; i < count * Number(values.copies); i++) {
      const at = Math.floor(i / Number(values.copies));
      const slice = await clip(volume(hu.data.slice(at * size, (at + 1) * size), [rows, columns]), lowest, highest);
      const noisy = await clip(await drawnDose(slice, [low, high], Number(values.seed), index++), lowest, highest);
      for (const [k, { data }] of [noisy, slice].entries()) {
        const { stored } = await storeSlices(data, Float64Array.of(1), Float64Array.of(0), {
          signed: true,
          bitsStored: 16,
        });
        await files[k]!.append(stored);
      }
    }
  }
  for (const file of files) await file.close();
  console.log(`${values.output}: ${index} pairs`);
}
