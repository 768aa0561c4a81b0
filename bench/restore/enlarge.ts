/**
 * How good a super-resolution network is, beside interpolation: slices of held-out patients (.npy, .nii or a DICOM folder), made coarser
 * (a Gaussian of the coarse pixel's width, one pixel for every factor × factor) and enlarged again. PSNR against the slices themselves, over
 * the span of the first file's values, or a window; and how much values shift on average, with --hu in air, soft tissue and bone too (as the
 * coarse slice shows them). `edge`: median width of the strongest edges from 10 to 90 %, pixels. `fine`: energy beyond the coarse
 * pixels' Nyquist frequency, as a share of that of the slices themselves, and `texture` the median of that share over squares of 64 × 64
 * pixels: where there are edges they are most of the energy, in most squares it is noise. The first line is the slices themselves.
 *
 *     node --import tsx bench/restore/enlarge.ts --model super-resolve-2 --model run --every 4 --hu kits/test.npy
 */
import { stat } from "node:fs/promises";
import { parseArgs } from "node:util";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readArray, toFloat32 } from "../../lib/data/array-files.ts";
import { readSeries } from "../../lib/data/dicom/index.ts";
import { clip, statistics } from "../../lib/image/pixels.ts";
import { psnr, ssim } from "../../lib/metrics/index.ts";
import { restorationModel } from "../../lib/models/index.ts";
import { coarserPixels } from "../../lib/restore/degrade.ts";
import { enlarge, superResolve } from "../../lib/restore/super-resolve.ts";
import { biasBetween, edgeWidths, fineEnergies, median, strongEdges } from "./sharpness.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string", multiple: true, default: [] },
    window: { type: "string" },
    factor: { type: "string", default: "2" },
    every: { type: "string", default: "1" },
    hu: { type: "boolean", default: false },
  },
});

async function read(path: string): Promise<Volume> {
  if ((await stat(path)).isDirectory()) return (await readSeries(path, { anyModality: true })).volume;
  return toFloat32((await readArray(path)).array);
}

const mean = (list: Float64Array): number => list.reduce((a, b) => a + b, 0) / list.length;
const total = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const factor = Number(values.factor);
/** Where values are looked at for bias, HU. */
const tissues = { air: [-Infinity, -800], soft: [-150, 150], bone: [200, Infinity] } as const;

for (const path of positionals) {
  const all = await read(path);
  const [count, height, width] = all.shape as [number, number, number];
  const [rows, columns] = [height - (height % factor), width - (width % factor)];
  const every = Number(values.every);
  const picked = Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every);
  const sharp = volume(new Float32Array(picked.length * rows * columns), [picked.length, rows, columns]);
  for (const [i, s] of picked.entries())
    for (let r = 0; r < rows; r++) {
      const at = (s * height + r) * width;
      sharp.data.set(all.data.subarray(at, at + columns), (i * rows + r) * columns);
    }
  const { minimum, maximum } = await statistics(sharp);
  const [low, high] = values.window ? (values.window.split(",").map(Number) as [number, number]) : [minimum, maximum];
  const reference = await clip(sharp, low, high);
  const coarse = await coarserPixels(sharp, { factor });
  const cubic = await enlarge(coarse, { factor, method: "cubic" });
  const places = await strongEdges(sharp);
  const trueWidths = await edgeWidths(sharp, places);
  const trueEnergies = await fineEnergies(sharp, 0.5 / factor);
  const line = async (method: string, images: Volume, more: object = {}) => {
    const seen = await clip(images, low, high);
    const range = high - low;
    const found = {
      psnr: mean(await psnr(seen, reference, { range })),
      ssim: mean(await ssim(seen, reference, { range })),
    };
    const bias = (await statistics(images)).mean - (await statistics(sharp)).mean;
    const biases = values.hu
      ? Object.entries(tissues).map(([name, bin]) => [name, biasBetween(images, sharp, cubic, bin)])
      : [];
    const widths = await edgeWidths(images, places);
    const edge = median(widths.filter((w, i) => w > 0 && trueWidths[i]! > 0));
    const energies = await fineEnergies(images, 0.5 / factor);
    const fine = total(energies) / total(trueEnergies);
    const texture = median(energies.flatMap((e, i) => (trueEnergies[i]! > 0 ? e / trueEnergies[i]! : [])));
    const shift = { bias, ...Object.fromEntries(biases) };
    console.log(
      JSON.stringify({
        slices: path,
        count: picked.length,
        low,
        high,
        method,
        ...found,
        edge,
        fine,
        texture,
        ...shift,
        ...more,
      }),
    );
  };
  await line("themselves", sharp);
  await line("bicubic", cubic);
  await line("lanczos", await enlarge(coarse, { factor, method: "lanczos" }));
  for (const name of values.model) {
    const model = await restorationModel(name);
    const begun = process.cpuUsage();
    const restored = await superResolve(coarse, { ...model, factor }, { threads: 1 });
    const { user, system } = process.cpuUsage(begun);
    const cpuSecondsPerSlice = (user + system) / 1e6 / picked.length;
    await line(model.name === name ? name : `${model.name} (${name})`, restored, { cpuSecondsPerSlice });
  }
}
