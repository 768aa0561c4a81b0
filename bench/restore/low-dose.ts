/**
 * How good a denoiser of low-dose CT is, beside non-local means, total variation and BM3D, each with the strength that is best for these very
 * slices: slices of held-out patients, made noisy through the sinogram, after windowing. PSNR of a slice is that of its window. The full dose
 * has as many photons as explain the noise that the slices have ("matched"), or as many as --photons says. Texture is noise in HU and the mean
 * frequency of its power, 1/mm, where the slices themselves are quietest. Several models by commas; a+b: b restores what a made. --steps and
 * --draws are for those that draw.
 *
 *     node --import tsx bench/restore/low-dose.ts --model run [--precision int8] --window -150,250 --pixel-mm 0.66 kits/test.npy
 */
import { parseArgs } from "node:util";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { toFloat32 } from "../../lib/data/array-files.ts";
import { readNpy } from "../../lib/data/npy.ts";
import { clip, combine } from "../../lib/image/pixels.ts";
import { noisePowerSpectrum, psnr, rmse, ssim } from "../../lib/metrics/index.ts";
import { type Precision, restorationModel } from "../../lib/models/index.ts";
import { isConditional } from "../../lib/models/trained.ts";
import { type ClassicalDenoiser, denoise, denoiseByNetwork } from "../../lib/restore/denoise.ts";
import { lowDoseImages } from "../../lib/restore/low-dose.ts";
import { quietPlaces, sliceOf } from "../../lib/restore/quiet.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string" },
    precision: { type: "string" },
    window: { type: "string", default: "-150,250" },
    "pixel-mm": { type: "string", default: "0.8" },
    every: { type: "string", default: "1" },
    doses: { type: "string", default: "0.25,0.1" },
    photons: { type: "string", default: "matched" },
    cutoff: { type: "string", default: "0.8" },
    methods: { type: "string", default: "nlm,tv,bm3d" },
    steps: { type: "string" },
    draws: { type: "string" },
  },
});
const [low, high] = values.window.split(",").map(Number) as [number, number];
const range = high - low;

const all = toFloat32((await readNpy(positionals[0]!)).array);
const [count, rows, columns] = all.shape as [number, number, number];
const every = Number(values.every);
const size = rows * columns;
const picked = Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every);
const clean = volume(new Float32Array(picked.length * size), [picked.length, rows, columns]);
for (const [i, s] of picked.entries()) clean.data.set(all.data.subarray(s * size, (s + 1) * size), i * size);

const mean = (list: Float64Array): number => list.reduce((a, b) => a + b, 0) / list.length;
const reference = await clip(clean, low, high);

interface Judged {
  readonly psnr: number;
  readonly ssim: number;
  readonly rmse: number;
  readonly noise: number;
  readonly frequency: number;
}

const quietest = await Promise.all(picked.map((_, slice) => quietPlaces(clean, { slice, least: -300 })));

/** Noise in HU and the mean frequency of its power, 1/mm, where the slices themselves are quietest. */
async function textureOf(images: Volume): Promise<Pick<Judged, "noise" | "frequency">> {
  const pixelMm = Number(values["pixel-mm"]);
  const found = await Promise.all(
    quietest.flatMap((places) => {
      if (!places) return [];
      const { slice, size, regions } = places;
      return noisePowerSpectrum(sliceOf(images, slice), { pixelMm, size, regions, trend: "quadric" });
    }),
  );
  const each = found.map(({ sigma, frequencies, radial }) => {
    // a ring holds as many frequencies as it is long
    const power = radial.map((p, k) => p * k);
    const total = power.reduce((a, b) => a + b, 0);
    return { sigma, frequency: power.reduce((sum, p, k) => sum + p * frequencies[k]!, 0) / total };
  });
  return {
    noise: mean(Float64Array.from(each, (e) => e.sigma)),
    frequency: mean(Float64Array.from(each, (e) => e.frequency)),
  };
}

async function judged(images: Volume): Promise<Judged> {
  const seen = await clip(images, low, high);
  return {
    psnr: mean(await psnr(seen, reference, { range })),
    ssim: mean(await ssim(seen, reference, { range })),
    rmse: mean(await rmse(seen, reference)),
    ...(await textureOf(images)),
  };
}

const strengths: Readonly<Record<string, readonly number[]>> = {
  nlm: [0.5, 0.7, 1, 1.4],
  tv: [0.25, 0.35, 0.5, 0.7, 1, 1.4],
  bm3d: [0.7, 1, 1.4],
  network: [0.6, 0.7, 0.8, 0.9, 1],
};

const scan = { pixelMm: Number(values["pixel-mm"]), cutoff: Number(values.cutoff), seed: 11 };

/** So many that a quarter of them doubles the noise where the slices are quiet: noise goes as the square root of their number. */
async function matchedPhotons(): Promise<number> {
  const photons = 2e5;
  const own = await quietPlaces(clean, { least: -300 });
  const middle = sliceOf(clean, own!.slice);
  const noisy = await lowDoseImages(middle, { ...scan, fraction: 0.25, photons });
  const added = await combine([
    [1, noisy],
    [-1, middle],
  ]);
  const { sigma } = await noisePowerSpectrum(added, { size: own!.size, regions: own!.regions, trend: "quadric" });
  return Math.round((photons * sigma ** 2) / (3 * own!.sigma ** 2));
}

console.log(JSON.stringify({ slices: positionals[0], method: "reference", ...(await textureOf(clean)) }));

const precision = values.precision as Precision | undefined;
const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
const photons = values.photons === "matched" ? await matchedPhotons() : Number(values.photons);

for (const fraction of values.doses.split(",").map(Number)) {
  const noisy = await clip(await lowDoseImages(clean, { ...scan, fraction, photons }), -1024, 3071);
  const sigma = (await quietPlaces(noisy, { least: -300 }))?.sigma;
  const line = (name: string, found: Judged, more: object = {}) =>
    console.log(
      JSON.stringify({
        slices: positionals[0],
        count: picked.length,
        photons,
        fraction,
        sigma,
        method: name,
        ...found,
        ...more,
      }),
    );
  line("input", await judged(noisy));
  for (const method of values.methods.split(",").filter(Boolean) as ClassicalDenoiser[]) {
    let best: { found: Judged; more: object } | undefined;
    for (const factor of method === "nlm" ? [1, 1.5, 2] : [1])
      for (const strength of strengths[method] ?? [1]) {
        const options = { method, strength, ...(sigma !== undefined && { sigma: factor * sigma }) };
        const found = await judged(await denoise(noisy, options));
        if (!best || found.psnr > best.found.psnr) best = { found, more: { strength, sigmaFactor: factor } };
      }
    if (best) line(method, best.found, best.more);
  }
  for (const names of values.model?.split(",") ?? []) {
    const models = await Promise.all(names.split("+").map((name) => restorationModel(name, { precision })));
    const begun = process.cpuUsage();
    let restored = noisy;
    for (const model of models) {
      const drawing = isConditional(model.trained) ? { steps: number(values.steps), draws: number(values.draws) } : {};
      restored = await denoiseByNetwork(restored, { ...model, unit: "HU" }, { ...drawing, threads: 1 });
    }
    const { user, system } = process.cpuUsage(begun);
    line(names, await judged(restored), { cpuSecondsPerSlice: (user + system) / 1e6 / picked.length });
    let best: { found: Judged; strength: number } | undefined;
    for (const strength of strengths["network"]!) {
      const part: [number, Volume][] = [
        [1 - strength, noisy],
        [strength, restored],
      ];
      const found = await judged(await combine(part));
      if (!best || found.psnr > best.found.psnr) best = { found, strength };
    }
    if (best) line(`${names}, strength tuned`, best.found, { strength: best.strength });
  }
}
