/** Whether a lesion can be seen: signal-to-noise ratio of a task from sharpness and noise, and a model observer before and after a restoration. */
import { type ArrayLike, checkArray, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { distanceTransform } from "../image/distance.ts";
import { gaussian } from "../image/gaussian.ts";
import { bytes, requireNumber, requireOneOf, requireSameShape } from "../image/input.ts";
import { combine, threshold } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import { type EdgeProfile, hotellingObserver, type NoisePower, type Observer } from "./quality.ts";

export interface Task {
  /** Of a disc, mm. */
  diameterMm: number;
  /** What it differs from its surroundings by, in the images' unit. */
  contrast: number;
  /** "npw" (default) looks for the disc as it is shown, whatever the noise is like; "ideal" takes the noise's colour into account. */
  observer?: "npw" | "ideal" | undefined;
}

const observers = ["npw", "ideal"] as const;

/** J₁: the mean of cos(τ − x·sin τ) over a period, exact to rounding with enough points. */
function bessel1(x: number): number {
  const points = 32 + 2 * Math.ceil(Math.abs(x));
  let sum = 0;
  for (let k = 0; k < points; k++) {
    const t = (2 * Math.PI * k) / points;
    sum += Math.cos(t - x * Math.sin(t));
  }
  return sum / points;
}

/** Value of a curve at frequency f, linear between its points; 0 beyond the last. */
function valueAt(frequencies: Float64Array, values: Float64Array, f: number): number {
  const k = frequencies.findIndex((g) => g >= f);
  if (k < 0) return 0;
  if (k === 0) return values[0]!;
  const share = (f - frequencies[k - 1]!) / (frequencies[k]! - frequencies[k - 1]!);
  return values[k - 1]! + share * (values[k]! - values[k - 1]!);
}

/**
 * Signal-to-noise ratio with which a linear observer detects a disc at a known place, from the modulation transfer function (`edgeProfile`)
 * and the noise power spectrum (`noisePowerSpectrum`) of a system, both taken for isotropic, up to the spectrum's last frequency:
 * npw: (∫|W·MTF|²)²/∫|W·MTF|²·NPS, ideal: ∫|W·MTF|²/NPS, of which this is the root; W is the disc's transform. ICRU Report 87, 2012.
 * Throws ERR_SINO_OUT_OF_RANGE (no noise where there is signal).
 *
 * @example
 * const snr = taskSnr(await edgeProfile(edge, { pixelMm }), await noisePowerSpectrum(water, { pixelMm }), { diameterMm: 5, contrast: 10 });
 */
export function taskSnr(
  sharpness: Pick<EdgeProfile, "frequencies" | "mtf">,
  noise: Pick<NoisePower, "frequencies" | "radial">,
  { diameterMm, contrast, observer = "npw" }: Task,
): number {
  requireNumber(diameterMm, "diameterMm", "a size in mm above 0", (d) => d > 0 && d < Infinity);
  requireNumber(contrast, "contrast", "a finite number");
  requireOneOf(observer, "observer", observers);
  const last = noise.frequencies.at(-1)!;
  // some twenty points for each ring of the disc's transform
  const points = Math.max(1024, Math.ceil(20 * diameterMm * last));
  let [signal, filtered, whitened] = [0, 0, 0];
  for (let k = 0; k < points; k++) {
    const f = ((k + 0.5) / points) * last;
    const disc = (contrast * diameterMm * bessel1(Math.PI * diameterMm * f)) / (2 * f);
    const power = (disc * valueAt(sharpness.frequencies, sharpness.mtf, f)) ** 2 * 2 * Math.PI * f * (last / points);
    const level = valueAt(noise.frequencies, noise.radial, f);
    signal += power;
    filtered += power * level;
    whitened += power > 0 ? power / level : 0;
  }
  const square = observer === "npw" ? signal ** 2 / filtered : whitened;
  if (signal === 0) return 0;
  if (!(square < Infinity))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      "The noise power is 0 where the disc has a signal: measure it on images with noise.",
    );
  return Math.sqrt(square);
}

export interface LesionOptions extends OperationOptions {
  /** Of the lesion, a disc with a soft edge, pixels. */
  diameter: number;
  /** What it adds in its middle, in the images' unit. */
  contrast: number;
  /** Its middle, [row, column]; default that of the images. */
  centre?: readonly [row: number, column: number] | undefined;
  /** Standard deviation of its edge's blur, pixels; default 0.5. */
  blur?: number | undefined;
  /** Channels of the observer, 1 to 32; default 6. */
  channels?: number | undefined;
  /** What is judged: called with images of lesions and with images without, both of the shape of the images; gives as many. */
  restore?: ((images: Volume) => Promise<ArrayLike>) | undefined;
}

export interface LesionDetection {
  /** Of the images as they are. */
  before: Observer;
  /** Of what `restore` makes of them. */
  after?: Observer;
}

/**
 * How well a channelized Hotelling observer finds a lesion that is put into every second image [slice, row, column] of a set, slices that
 * differ in their noise alone, or also in anatomy: and how well after a restoration. A restoration that gains PSNR and loses here hides
 * lesions. Use a hundred images or more (see `hotellingObserver`). Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE, and what `restore` throws.
 *
 * @example
 * const { before, after } = await lesionDetection(noisy, { diameter: 6, contrast: 15, restore: (images) => denoise(images, { method: "nlm" }) });
 */
export async function lesionDetection(images: ArrayLike, options: LesionOptions): Promise<LesionDetection> {
  const { diameter, contrast, blur = 0.5, channels, restore, device, signal } = options ?? {};
  const job = { device, signal };
  requireNumber(diameter, "diameter", "a number of pixels above 0", (d) => d > 0 && d < Infinity);
  requireNumber(contrast, "contrast", "a finite number");
  requireNumber(blur, "blur", "a number of pixels from 0 up", (b) => b >= 0 && b < Infinity);
  checkArray(images, "images", [3]);
  const [slices, rows, columns] = images.shape as [number, number, number];
  const centre = options.centre ?? [rows >> 1, columns >> 1];
  const half = slices >> 1;
  const everySecond = (first: number): ArrayLike => {
    const [slice, row, column] = images.stride ?? [rows * columns, columns, 1];
    const offset = (images.offset ?? 0) + first * slice!;
    return { data: images.data, shape: [half, rows, columns], stride: [2 * slice!, row!, column!], offset };
  };
  const disc = await lesion([rows, columns], centre, diameter / 2, blur, job);
  const shown: ArrayLike = { data: disc.data, shape: [half, rows, columns], stride: [0, columns, 1] };
  const present = await combine(
    [
      [1, everySecond(0)],
      [contrast, shown],
    ],
    job,
  );
  const absent = await combine([[1, everySecond(1)]], job);
  const observe = (a: ArrayLike, b: ArrayLike) =>
    hotellingObserver(a, b, { ...job, centre, width: diameter, channels });
  const before = await observe(present, absent);
  if (!restore) return { before };
  const restored = [];
  for (const [each, name] of [
    [present, "restored images with lesions"],
    [absent, "restored images without lesions"],
  ] as const) {
    const made = await restore(each);
    requireSameShape(made, name, each, "images");
    restored.push(made);
  }
  return { before, after: await observe(restored[0]!, restored[1]!) };
}

/** A disc of height 1, blurred. */
async function lesion(
  shape: readonly [number, number],
  [row, column]: readonly [number, number],
  radius: number,
  blur: number,
  job: OperationOptions,
): Promise<Volume> {
  for (const [at, n, name] of [
    [row, shape[0], "row"],
    [column, shape[1], "column"],
  ] as const)
    requireNumber(at, `centre's ${name}`, `a whole number from 0 to ${n - 1}`, (i) => {
      return Number.isInteger(i) && i >= 0 && i < n;
    });
  const mask = bytes(sizeOf(shape)).fill(1);
  mask[row * shape[1] + column] = 0;
  const { distances } = await distanceTransform(volume(mask, shape), job);
  return gaussian(await threshold(distances, radius, { ...job, above: false }), { ...job, sigma: blur });
}
