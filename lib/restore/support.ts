/**
 * Does a restored image show structure that its input does not support? In bands of a few pixels' width, what the output shows is explained by
 * the same band of the input around there, as far as a straight line goes: a smoother weakens the input's structure, a denoiser keeps a part
 * of it, and what it takes away needs no support. What is left over is new, but no more than the power by which the output exceeds the input
 * without its noise: strong smoothing moves structure a little. It counts where it is louder than the noise of the input in that band, and
 * than a share of what the input shows there: edges that became sharper are not new.
 */
import { type ArrayLike, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import * as g from "../graph/index.ts";
import { floats, newImage, planesOf, requireSameShape } from "../image/input.ts";
import { quantile, statistics, threshold } from "../image/pixels.ts";
import { openModel } from "../models/index.ts";
import type { JobOptions, OperationOptions } from "../native/job.ts";
import { sliceOf } from "./quiet.ts";

/** The bands: differences of Gaussians of these deviations, pixels, and of 1.6 times as much. */
const widths = [2, 4] as const;
/** What is new must be so many times as loud as the noise. */
const overNoise = 1.5;
/** Of the input's own structure around there. */
const ofStructure = 0.25;
/** Of the input's structure in the whole slice: nothing is measured better than this. */
const ofSlice = 0.006;

export interface Support {
  /** Unsupported structure over what may be there, the most of all bands: above 1 where it is not supported. Shape of the images. */
  map: Volume;
  /** Its maximum over all slices. */
  score: number;
  /** Pixels above 1, of all. */
  share: number;
  /** Where the maximum lies. */
  place: readonly [slice: number, row: number, column: number];
  /** Maximum of each slice. */
  perSlice: Float64Array;
}

export interface SupportOptions extends OperationOptions, JobOptions {
  threads?: number | undefined;
  /** Pixels of the images for one that was measured: what was enlarged twice is judged in bands twice as wide; default 1. */
  factor?: number | undefined;
  /** The noise is measured in pixels brighter than this; default the mean of the middle slice. */
  least?: number | undefined;
}

/**
 * Compares restored slices [row, column] or [slice, row, column] with what they were made of. Needs onnxruntime-node. Throws ERR_SINO_SHAPE,
 * ERR_SINO_UNSUPPORTED, what `openModel` throws; aborts with `signal.reason`.
 *
 * @example
 * const { score, place } = await unsupportedStructure(noisy, clean);
 * if (score > 1) console.log(`look at ${place}`);
 */
export async function unsupportedStructure(
  before: ArrayLike,
  after: ArrayLike,
  options: SupportOptions = {},
): Promise<Support> {
  const { factor = 1, least, threads, device, signal, onProgress } = options;
  requireSameShape(after, "after", before, "before");
  const job = { device, signal };
  const { slices, rows, columns } = planesOf(before.shape);
  const size = rows * columns;
  const images = volume((await floats(before, "before", job, [2, 3])) as Float32Array<ArrayBuffer>, before.shape);
  const made = await floats(after, "after", job);
  const bands = widths.map((width) => width * factor);
  const running = { provider: "cpu", threads } as const;
  const plane = (data: Float32Array, slice: number) => ({
    data: data.subarray(slice * size, (slice + 1) * size),
    shape: [1, 1, rows, columns],
  });
  const noise = await noiseOfBands(images, bands, { ...job, threads, ...(least !== undefined && { least }) });
  const map = newImage(before.shape);
  const perSlice = new Float64Array(slices);
  const model = await openModel(supportModel(bands, [rows, columns]), running);
  try {
    for (let slice = 0; slice < slices; slice++) {
      signal?.throwIfAborted();
      const feeds = {
        x: plane(images.data, slice),
        y: plane(made, slice),
        noise: { data: noise, shape: [bands.length] },
      };
      const { ratio } = await model.run(feeds);
      map.data.set(ratio!.data as Float32Array, slice * size);
      const { maximum, nonFinite } = await statistics(sliceOf(map, slice), job);
      if (nonFinite > 0)
        throw sinoError(
          "ERR_SINO_OUT_OF_RANGE",
          "Expected finite images to compare but they hold NaN or infinite pixels.",
        );
      perSlice[slice] = maximum;
      onProgress?.({ phase: "support", done: slice + 1, total: slices });
    }
  } finally {
    await model.dispose();
  }
  const { maximum: score } = await statistics(map, job);
  const at = (await threshold(map, score, job)).data.indexOf(1);
  const { mean: share } = await statistics(await threshold(map, 1, job), job);
  const place = [Math.floor(at / size), Math.floor((at % size) / columns), at % columns] as const;
  return { map, score, share, place, perSlice };
}

/** Where the middle slice is quietest, a twentieth of its bright pixels, a band's power is that of noise. */
const quietShare = 0.05;

async function noiseOfBands(
  images: Volume,
  bands: readonly number[],
  { least, threads, ...job }: OperationOptions & { least?: number; threads?: number | undefined },
): Promise<Float32Array> {
  const { slices, rows, columns } = planesOf(images.shape);
  const image = sliceOf(images, slices >> 1);
  const bright = await threshold(image, least ?? (await statistics(image, job)).mean, job);
  const noise = new Float32Array(bands.length);
  if ((await statistics(bright, job)).sum === 0) return noise;
  const model = await openModel(powerModel(bands, [rows, columns]), { provider: "cpu", threads });
  try {
    const powers = await model.run({ x: { data: image.data, shape: [1, 1, rows, columns] } });
    for (const k of bands.keys()) {
      const { data } = powers[`power${k}`]!;
      noise[k] = await quantile(data as Float32Array, quietShare, { ...job, where: bright.data });
    }
  } finally {
    await model.dispose();
  }
  return noise;
}

/** A Gaussian along rows and columns; the border pixel is repeated outside. */
function blur(x: g.Tensor, deviation: number): g.Tensor {
  const radius = Math.ceil(3 * deviation);
  const taps = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-(((i - radius) / deviation) ** 2) / 2));
  const total = taps.reduce((a, b) => a + b, 0);
  const kernel = x.graph.constant(
    taps.map((tap) => tap / total),
    [1, 1, taps.length, 1],
  );
  const around = [0, 0, radius, radius];
  return g.conv(g.conv(g.pad(x, around, around, "edge"), kernel), g.reshape(kernel, [1, 1, 1, taps.length]));
}

const band = (x: g.Tensor, width: number): g.Tensor => g.sub(blur(x, width), blur(x, 1.6 * width));

/** What a band holds around every pixel. */
const around = (product: g.Tensor, width: number): g.Tensor => blur(product, 2 * width);

function powerModel(bands: readonly number[], size: readonly number[]): Uint8Array<ArrayBuffer> {
  const graph = new g.Graph("power");
  const x = graph.input("x", [1, 1, ...size]);
  for (const [k, width] of bands.entries()) graph.output(`power${k}`, around(g.square(band(x, width)), width));
  return g.writeOnnx(graph);
}

function supportModel(bands: readonly number[], size: readonly number[]): Uint8Array<ArrayBuffer> {
  const graph = new g.Graph("support");
  const before = graph.input("x", [1, 1, ...size]);
  // rounding is relative to what is left of the values
  const level = g.reduceMean(before, [1, 2, 3]);
  const [x, y] = [g.sub(before, level), g.sub(graph.input("y", [1, 1, ...size]), level)];
  const noise = graph.input("noise", [bands.length]);
  const ratios = bands.map((width, k) => {
    const [bx, by] = [band(x, width), band(y, width)];
    const xx = around(g.square(bx), width);
    const yy = around(g.square(by), width);
    const xy = around(g.mul(bx, by), width);
    // of a line through both: what it leaves of y
    const quiet = g.slice(noise, 0, k, k + 1);
    const left = g.sub(yy, g.div(g.square(xy), g.add(xx, 1e-12)));
    const more = g.sub(yy, g.max(g.sub(xx, quiet), 0));
    const fresh = g.max(g.min(left, more), 0);
    const own = g.mul(xx, ofStructure ** 2);
    const least = g.mul(g.reduceMean(xx, [1, 2, 3]), ofSlice ** 2);
    const limit = g.add(g.add(own, least), g.mul(quiet, overNoise ** 2));
    return g.sqrt(g.div(fresh, g.add(limit, 1e-12)));
  });
  graph.output(
    "ratio",
    ratios.reduce((a, b) => g.max(a, b)),
  );
  return g.writeOnnx(graph);
}
