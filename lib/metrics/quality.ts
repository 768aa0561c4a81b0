/** What physicists measure: noise power spectrum, edge profile and MTF, and a channelized Hotelling observer. */
import { type ArrayLike, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { floats, planesOf, requireNumber, run } from "../image/input.ts";
import type { OperationOptions } from "../native/job.ts";

export interface NoisePowerOptions extends OperationOptions {
  /** Pixel size, mm; default 1. */
  pixelMm?: number | undefined;
  /** Side of the square regions, pixels; default 64, or what fits. */
  size?: number | undefined;
  /** First pixels [row, column] of the regions; by default regions that overlap by half, over the whole image. */
  regions?: readonly (readonly [row: number, column: number])[] | undefined;
  /** What is taken off each region: its mean, plane or quadric; default "plane". */
  trend?: "mean" | "plane" | "quadric" | undefined;
}

export interface NoisePower {
  /** [size, size], unit² · mm²: its sum times the area of a frequency cell, 1/(size·pixelMm)², is the variance. Zero frequency first. */
  power: Volume<Float64Array<ArrayBuffer>>;
  /** 1/mm, of every radial value: rings of width 1/(size·pixelMm). */
  frequencies: Float64Array;
  /** Mean over rings, up to Nyquist. */
  radial: Float64Array;
  /** Standard deviation of the noise, in the image's unit. */
  sigma: number;
  /** Regions in all. */
  count: number;
}

/**
 * The noise power spectrum of images [row, column] or [slice, row, column] of something uniform (or of differences of two scans, then
 * divided by √2), averaged over regions and slices. ICRU Report 87, 2012. No window on the regions.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function noisePowerSpectrum(images: ArrayLike, options: NoisePowerOptions = {}): Promise<NoisePower> {
  const { pixelMm = 1, trend = "plane" } = options;
  requireNumber(pixelMm, "pixelMm", "a size in mm above 0", (p) => p > 0 && p < Infinity);
  const order = ["mean", "plane", "quadric"].indexOf(trend);
  if (order < 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected trend "mean", "plane" or "quadric" but received ${show(trend)}.`,
    );
  const input = await floats(images, "images", options, [2, 3]);
  const planes = planesOf(images.shape);
  const { rows, columns, slices } = planes;
  const size = options.size ?? Math.min(64, rows, columns);
  requireNumber(size, "size", `a whole number from 2 to ${Math.min(rows, columns)}`, (n) => {
    return Number.isInteger(n) && n >= 2 && n <= Math.min(rows, columns);
  });
  const half = Math.ceil(size / 2);
  const starts = (n: number) => Array.from({ length: Math.floor((n - size) / half) + 1 }, (_, k) => k * half);
  const regions = options.regions ?? starts(rows).flatMap((r) => starts(columns).map((c) => [r, c] as const));
  const inside = (n: number, most: number) => Number.isInteger(n) && n >= 0 && n + size <= most;
  if (regions.length === 0 || !regions.every(([r, c]) => inside(r, rows) && inside(c, columns)))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected at least one region, and all within ${rows} × ${columns} pixels, but received ${show(regions.map(([r, c]) => `${r}, ${c}`))}.`,
    );
  const power = new Float64Array(size * size);
  await run("noisePower", { ...planes, size, order, places: Float64Array.from(regions.flat()), input, power }, options);
  const variance = power.reduce((sum, p) => sum + p, 0) / size ** 2;
  const { frequencies, radial } = rings(power, size, pixelMm);
  return {
    power: volume(
      power.map((p) => p * pixelMm ** 2),
      [size, size],
    ),
    frequencies,
    radial: radial.map((p) => p * pixelMm ** 2),
    sigma: Math.sqrt(variance),
    count: regions.length * slices,
  };
}

/** Means over rings of one frequency step. */
function rings(power: Float64Array, size: number, pixelMm: number) {
  const sums = new Float64Array(Math.floor(size / 2) + 1);
  const counts = new Float64Array(sums.length);
  const signed = (k: number) => (2 * k < size ? k : k - size);
  power.forEach((p, i) => {
    const ring = Math.round(Math.hypot(signed(Math.floor(i / size)), signed(i % size)));
    if (ring >= sums.length) return;
    sums[ring]! += p;
    counts[ring]!++;
  });
  return {
    frequencies: sums.map((_, k) => k / (size * pixelMm)),
    radial: sums.map((sum, k) => sum / counts[k]!),
  };
}

export interface EdgeOptions extends OperationOptions {
  /** Pixel size, mm; default 1. */
  pixelMm?: number | undefined;
  /**
   * Where the edge is: "line" (default) finds the one straight edge in the image; a circle is given by centre and radius in pixels (the
   * border of an insert).
   */
  edge?: "line" | { readonly row: number; readonly column: number; readonly radius: number } | undefined;
  /** Pixels to either side of the edge; default 10. */
  reach?: number | undefined;
  /** Steps per pixel; default 4. */
  oversample?: number | undefined;
}

export interface EdgeProfile {
  /** mm from the edge, and the mean value there, in the image's unit, along the direction to higher columns (rows), or outwards. */
  positions: Float64Array;
  values: Float64Array;
  /** 1/mm, and the modulation transfer there: 1 at zero. */
  frequencies: Float64Array;
  mtf: Float64Array;
  /** 1/mm where the MTF falls to a half and to a tenth; NaN where it does not. */
  mtf50: number;
  mtf10: number;
  /** Distance between 10 % and 90 % of the step, mm; NaN without a step. */
  riseMm: number;
}

/**
 * The edge spread function of a part of an image that holds one nearly straight edge, or a circular one, and its MTF: slices are averaged,
 * values collected by their distance to the edge, differences of neighbours weighted by a Hann window over the whole reach, transformed,
 * and divided by the response of the differences. ISO 12233; S. Richard et al., Med. Phys. 39, 2012 (circular edges).
 * A straight edge should stand a few degrees off rows and columns. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function edgeProfile(images: ArrayLike, options: EdgeOptions = {}): Promise<EdgeProfile> {
  const { pixelMm = 1, edge = "line", reach = 10, oversample = 4 } = options;
  requireNumber(pixelMm, "pixelMm", "a size in mm above 0", (p) => p > 0 && p < Infinity);
  requireNumber(reach, "reach", "a number of pixels above 0", (r) => r > 0 && r <= 4096);
  requireNumber(
    oversample,
    "oversample",
    "a whole number from 1 to 64",
    (n) => Number.isInteger(n) && n >= 1 && n <= 64,
  );
  const input = await floats(images, "images", options, [2, 3]);
  const planes = planesOf(images.shape);
  const { slices } = planes;
  const bins = Math.round(2 * reach * oversample);
  const edges = new Float64Array(5 * slices);
  if (edge === "line") {
    const lines = new Float64Array(4 * slices);
    await run("edgeLine", { ...planes, reach: Math.min(reach, 5), input, lines }, options);
    for (let s = 0; s < slices; s++) edges.set(lines.subarray(4 * s, 4 * s + 4), 5 * s);
  } else {
    const { row, column, radius } = edge ?? {};
    for (const [name, value] of Object.entries({ row, column, radius }))
      requireNumber(value, `edge.${name}`, "a finite number");
    requireNumber(radius, "edge.radius", "a number of pixels above 0", (r) => r > 0);
    for (let s = 0; s < slices; s++) edges.set([row!, column!, 1, 0, radius], 5 * s);
  }
  const sums = new Float64Array(slices * bins);
  const counts = new Float64Array(slices * bins);
  await run("edgeSpread", { ...planes, bins, width: 1 / oversample, reach, edges, input, sums, counts }, options);
  const sum = new Float64Array(bins);
  const count = new Float64Array(bins);
  for (let i = 0; i < sums.length; i++) {
    sum[i % bins]! += sums[i]!;
    count[i % bins]! += counts[i]!;
  }
  const values = filled(sum, count);
  const positions = values.map((_, k) => ((k + 0.5) / oversample - reach) * pixelMm);
  return {
    positions,
    values,
    ...transferOf(values, pixelMm / oversample),
    riseMm: riseOf(values) * (pixelMm / oversample),
  };
}

/** Means, and where no pixel fell, what lies on the line between the neighbours. */
function filled(sum: Float64Array, count: Float64Array): Float64Array {
  const known = [...count.keys()].filter((k) => count[k]! > 0);
  if (known.length < 2)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      "Expected pixels on both sides of the edge but there are none within reach: is it in the image?",
    );
  let next = 0;
  return sum.map((s, k) => {
    if (count[k]! > 0) return s / count[k]!;
    while (next < known.length - 1 && known[next]! < k) next++;
    const after = known[Math.max(next, 1)]!;
    const before = known[Math.max(next, 1) - 1]!;
    const [low, high] = [sum[before]! / count[before]!, sum[after]! / count[after]!];
    return low + ((high - low) * (Math.min(Math.max(k, before), after) - before)) / (after - before);
  });
}

/** MTF up to Nyquist of the pixels' finer steps, `step` mm apart. */
function transferOf(values: Float64Array, step: number) {
  const n = values.length - 1;
  const line = Array.from({ length: n }, (_, k) => {
    return (values[k + 1]! - values[k]!) * 0.5 * (1 - Math.cos((2 * Math.PI * (k + 0.5)) / n));
  });
  const length = Math.floor(n / 2) + 1;
  const frequencies = Float64Array.from({ length }, (_, f) => f / (n * step));
  const size = frequencies.map((_, f) => {
    let [re, im] = [0, 0];
    line.forEach((v, k) => {
      re += v * Math.cos((2 * Math.PI * f * k) / n);
      im += v * Math.sin((2 * Math.PI * f * k) / n);
    });
    const angle = (Math.PI * f) / n; // a difference of neighbours measures the mean over a step
    return (Math.hypot(re, im) * (f === 0 ? 1 : angle)) / (f === 0 ? 1 : Math.sin(angle));
  });
  const mtf = size.map((v) => v / size[0]!);
  const falls = (level: number) => {
    const k = mtf.findIndex((v) => v < level);
    if (k < 1) return Number.NaN;
    const share = (mtf[k - 1]! - level) / (mtf[k - 1]! - mtf[k]!);
    return frequencies[k - 1]! + share * (frequencies[k]! - frequencies[k - 1]!);
  };
  return { frequencies, mtf, mtf50: falls(0.5), mtf10: falls(0.1) };
}

/** Steps between 10 % and 90 % of the way from one end to the other. */
function riseOf(values: Float64Array): number {
  const outer = Math.max(1, Math.floor(values.length / 10));
  const mean = (part: Float64Array) => part.reduce((sum, v) => sum + v, 0) / part.length;
  const [from, to] = [mean(values.subarray(0, outer)), mean(values.subarray(-outer))];
  const shares = values.map((v) => (v - from) / (to - from));
  const crossing = (level: number) => {
    const k = shares.findIndex((v) => v >= level);
    return k < 1 ? Number.NaN : k - 1 + (level - shares[k - 1]!) / (shares[k]! - shares[k - 1]!);
  };
  return crossing(0.9) - crossing(0.1);
}

export interface ObserverOptions extends OperationOptions {
  /** Where the signal is, [row, column] in pixels; default the middle. */
  centre?: readonly [row: number, column: number] | undefined;
  /** Scale of the channels, pixels: about the diameter of the signal. */
  width: number;
  /** Laguerre-Gauss channels, 1 to 32; default 6. */
  channels?: number | undefined;
}

export interface Observer {
  /** Detectability index d′: distance of the means over the common spread of the observer's ratings. */
  dPrime: number;
  /** Area under the ROC curve, Φ(d′/√2). */
  auc: number;
}

/**
 * How well a channelized Hotelling observer tells images [slice, row, column] with a signal from images without one: a linear observer that
 * sees Laguerre-Gauss channels around a known place and knows their means and covariance from these very images. With few images d′
 * is too high: use at least ten times as many of each as channels. B. D. Gallas, H. H. Barrett, J. Opt. Soc. Am. A 20, 2003.
 * Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (fewer images than channels + 1).
 */
export async function hotellingObserver(
  present: ArrayLike,
  absent: ArrayLike,
  options: ObserverOptions,
): Promise<Observer> {
  const { width, channels = 6 } = options ?? {};
  requireNumber(width, "width", "a number of pixels above 0", (w) => w > 0 && w < Infinity);
  requireNumber(channels, "channels", "a whole number from 1 to 32", (n) => Number.isInteger(n) && n >= 1 && n <= 32);
  const responses = async (images: ArrayLike, name: string) => {
    const input = await floats(images, name, options, [3]);
    const planes = planesOf(images.shape);
    const [row, column] = options.centre ?? [(planes.rows - 1) / 2, (planes.columns - 1) / 2];
    if (planes.slices <= channels)
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `Expected more images than the ${channels} channels in ${name} but received ${planes.slices}.`,
      );
    const found = new Float64Array(planes.slices * channels);
    await run("channelResponse", { ...planes, channels, row, column, width, input, responses: found }, options);
    return Array.from({ length: planes.slices }, (_, s) => [...found.subarray(s * channels, (s + 1) * channels)]);
  };
  const [signal, noise] = [await responses(present, "present"), await responses(absent, "absent")];
  const difference = meansOf(signal).map((m, j) => m - meansOf(noise)[j]!);
  const spread = covarianceOf(signal).map((line, j) => line.map((v, k) => (v + covarianceOf(noise)[j]![k]!) / 2));
  const template = solved(spread, difference);
  const dPrime = Math.sqrt(
    Math.max(
      0,
      template.reduce((sum, t, j) => sum + t * difference[j]!, 0),
    ),
  );
  return { dPrime, auc: normal(dPrime / Math.SQRT2) };
}

const meansOf = (rows: readonly number[][]) =>
  rows[0]!.map((_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length);

function covarianceOf(rows: readonly number[][]): number[][] {
  const means = meansOf(rows);
  return means.map((a, j) =>
    means.map((b, k) => rows.reduce((sum, row) => sum + (row[j]! - a) * (row[k]! - b), 0) / (rows.length - 1)),
  );
}

/** Gaussian elimination with pivots. */
function solved(matrix: readonly number[][], right: readonly number[]): number[] {
  const rows = matrix.map((line, j) => [...line, right[j]!]);
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    const pivot = rows
      .slice(k)
      .reduce((best, row, j) => (Math.abs(row[k]!) > Math.abs(rows[best]![k]!) ? k + j : best), k);
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    if (rows[k]![k] === 0)
      throw sinoError("ERR_SINO_OUT_OF_RANGE", "The channels' covariance is singular: the images hold no noise.");
    for (let j = 0; j < n; j++) {
      if (j === k) continue;
      const factor = rows[j]![k]! / rows[k]![k]!;
      for (let i = k; i <= n; i++) rows[j]![i]! -= factor * rows[k]![i]!;
    }
  }
  return rows.map((row, k) => row[n]! / row[k]!);
}

/** Φ, to 1e-7 (Abramowitz & Stegun 7.1.26 has 1.5e-7 for erf). */
function normal(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) *
    Math.exp(-z * z);
  return x >= 0 ? 1 - tail / 2 : tail / 2;
}
