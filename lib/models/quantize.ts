/** Trained networks in 8 bits: limits measured on images, the most sensitive convolutions left in float32, the loss measured. */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { cleanFrom } from "../diffusion/prediction.ts";
import { noiseSchedule } from "../diffusion/schedule.ts";
import { type Calibration, limitsFrom, narrowest } from "../graph/index.ts";
import { combine } from "../image/pixels.ts";
import { rmse } from "../metrics/metrics.ts";
import type { JobOptions } from "../native/job.ts";
import { calibrationModel, networkModel, shareInInt8 } from "../networks/index.ts";
import { normalNoise } from "../physics/noise.ts";
import { type ModelOptions, openModel } from "./model.ts";
import type { Values } from "./session.ts";
import { copyIn, tilingOf } from "./tiles.ts";
import { grainOf, isConditional, type Trained } from "./trained.ts";

export interface QuantizeOptions extends Pick<ModelOptions, "threads">, JobOptions {
  /**
   * Rounding must stay this far below what the network answers, dB: below what it changes, where it makes images of images (default 30), and
   * below the image that follows from what a diffusion network says (40). The convolutions that round worst stay float32 until it does.
   */
  snrDb?: number | undefined;
  /** Images to look at, half for the limits and half for the loss; default 16, or all. */
  samples?: number | undefined;
  /** Of the noise that a diffusion network's images get; default 0. */
  seed?: number | undefined;
}

export interface QuantizeReport {
  convolutions: number;
  /** Names of those in float32, the most sensitive first. */
  kept: string[];
  /** Multiplications in 8 bits, of all that convolutions do. */
  share: number;
  /** The network's answer (or change) over the rounding's error, on images that gave no limits, dB: as made, and with nothing kept. */
  snrDb: number;
  snrOfAllDb: number;
  /** Of one image, medians in turn, in ms. */
  float32Ms: number;
  int8Ms: number;
}

type Feeds = Record<string, Values>;

interface Probe {
  readonly feeds: Feeds;
  /** Of a diffusion network: the image without its noise, and how much of an error of the answer becomes one of the image. */
  readonly clean?: Float32Array;
  readonly gain: number;
}

/** Where along its noise a diffusion network is looked at: shares of its steps. */
const noiseShares = [0.02, 0.1, 0.25, 0.45, 0.7, 0.95];

/**
 * Finds out how a trained network computes in 8 bits. `images` are what it will be given: [n, row, column], or with channels
 * [n, C, row, column], in the units of the data; a diffusion network gets clean ones. The calibration is for
 * `Trained.calibration`. Throws ERR_SINO_SHAPE (fewer than two images), ERR_SINO_UNSUPPORTED (volumes, a context), what
 * `openModel` throws, or `signal.reason`.
 */
export async function quantizeTrained(
  trained: Trained,
  images: ArrayLike,
  options: QuantizeOptions = {},
): Promise<{ calibration: Calibration; report: QuantizeReport }> {
  const { network, weights, diffusion, isSegmentation } = trained;
  const { snrDb = diffusion ? 40 : 30, onProgress, signal, threads } = options;
  const { size, probes } = await probesOf(trained, images, options);
  const shape = { batch: 1, size };
  const running: ModelOptions = { provider: "cpu", threads };
  const forLimits = probes.filter((_, i) => i % 2 === 0);
  const forLoss = probes.filter((_, i) => i % 2 === 1);

  const look = (phase: string, within?: Calibration) =>
    using(calibrationModel(network, weights, shape, within), running, async (run) => {
      const found: Record<string, number>[] = [];
      for (const { feeds } of forLimits) {
        signal?.throwIfAborted();
        const { y: _, ...numbers } = await run(feeds);
        found.push(Object.fromEntries(Object.entries(numbers).map(([name, { data }]) => [name, Number(data[0])])));
        onProgress?.({ phase, done: found.length, total: forLimits.length });
      }
      return found;
    });
  const widest = limitsFrom(await look("limits"));
  const limits = narrowest(widest, await look("rounding", widest));
  const modelWith = (calibration?: Calibration) => networkModel(network, weights, shape, { calibration });
  const answers = (calibration?: Calibration) =>
    using(modelWith(calibration), running, async (run) => {
      const list: Float32Array[] = [];
      for (const { feeds } of forLoss) list.push((await run(feeds))["y"]!.data as Float32Array);
      return list;
    });
  const exact = await answers();
  // judged is what a network changes, where it makes images of images: an image full of air would hide any error; and of a diffusion
  // network the image that follows from its answer
  const isRestoring = !diffusion && !isSegmentation && exact[0]!.length === forLoss[0]!.feeds["x"]!.data.length;
  const power = await Promise.all(
    forLoss.map(({ feeds, clean }, i) =>
      meanSquare(clean ?? exact[i]!, isRestoring ? (feeds["x"]!.data as Float32Array) : undefined, { signal }),
    ),
  );
  const lossOf = async (calibration: Calibration): Promise<number> => {
    const found = await answers(calibration);
    const errors = await Promise.all(found.map((y, i) => meanSquare(y, exact[i]!, { signal })));
    return errors.reduce((sum, error, i) => sum + (forLoss[i]!.gain ** 2 * error) / power[i]!, 0) / errors.length;
  };

  const names = Object.keys(limits);
  const losses: { name: string; loss: number }[] = [];
  for (const name of names) {
    signal?.throwIfAborted();
    losses.push({ name, loss: await lossOf({ [name]: limits[name]! }) });
    onProgress?.({ phase: "convolutions", done: losses.length, total: names.length });
  }
  losses.sort((a, b) => b.loss - a.loss);
  const without = (count: number): Calibration =>
    Object.fromEntries(losses.slice(count).map(({ name }) => [name, limits[name]!]));
  const target = 10 ** (-snrDb / 10);
  const lossOfAll = await lossOf(limits);
  let kept = 0;
  let loss = lossOfAll;
  while (loss > target && kept < names.length) {
    signal?.throwIfAborted();
    // errors of different convolutions add up, nearly: leave out as many as the excess asks for, and look again
    const sum = losses.slice(kept).reduce((s, l) => s + l.loss, 0);
    let left = sum;
    do left -= losses[kept++]!.loss;
    while (kept < names.length && left / sum > target / loss);
    loss = kept < names.length ? await lossOf(without(kept)) : 0;
  }
  const calibration = without(kept);
  const [float32Ms, int8Ms] = await medians([modelWith(), modelWith(calibration)], running, forLoss[0]!.feeds);
  return {
    calibration,
    report: {
      convolutions: names.length,
      kept: losses.slice(0, kept).map(({ name }) => name),
      share: shareInInt8(network, weights, shape, calibration),
      snrDb: decibels(loss),
      snrOfAllDb: decibels(lossOfAll),
      float32Ms: float32Ms!,
      int8Ms: int8Ms!,
    },
  };
}

const decibels = (share: number): number => (share > 0 ? -10 * Math.log10(share) : 200);

async function using<T>(
  model: Uint8Array,
  options: ModelOptions,
  use: (run: (feeds: Feeds) => Promise<Record<string, Values>>) => Promise<T>,
): Promise<T> {
  const open = await openModel(model, options);
  try {
    return await use((feeds) => open.run(feeds));
  } finally {
    await open.dispose();
  }
}

async function meanSquare(y: Float32Array, other: Float32Array | undefined, job: JobOptions): Promise<number> {
  const flat = (data: Float32Array): Volume => volume(data as Float32Array<ArrayBuffer>, [1, 1, data.length]);
  const [root] = await rmse(flat(y), flat(other ?? new Float32Array(y.length)), job);
  return root! ** 2;
}

/** Runs of two models in turn, so that what else the machine does meets both alike. */
async function medians(models: readonly Uint8Array[], options: ModelOptions, feeds: Feeds): Promise<number[]> {
  const open = await Promise.all(models.map((model) => openModel(model, options)));
  const times: number[][] = open.map(() => []);
  try {
    for (let turn = 0; turn < 6; turn++)
      for (const [i, model] of open.entries()) {
        const begun = performance.now();
        await model.run(feeds);
        if (turn > 0) times[i]!.push(performance.now() - begun);
      }
  } finally {
    await Promise.all(open.map((model) => model.dispose()));
  }
  return times.map((list) => list.sort((a, b) => a - b)[list.length >> 1]!);
}

/** What the network is asked: every image once, scaled; a diffusion network's with noise of every strength in turn. */
async function probesOf(
  trained: Trained,
  images: ArrayLike,
  { samples = 16, seed = 0, ...job }: QuantizeOptions,
): Promise<{ size: readonly number[]; probes: Probe[] }> {
  const { network, scale, diffusion } = trained;
  if (isConditional(trained))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      "A network that draws images given others stays in float32: it would be judged by pairs of images.",
    );
  if (network.kind === "unet" && (network.dimensions === 3 || network.context))
    throw sinoError("ERR_SINO_UNSUPPORTED", "Expected a network of slices without a context; others stay in float32.");
  const channels = network.inChannels;
  const shape = images.shape.slice(-2);
  const count = sizeOf(images.shape) / sizeOf(shape) / channels;
  if (images.shape.length < 3 || !Number.isInteger(count) || count < 2)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected at least two images of ${channels} channels but received [${images.shape.join(", ")}].`,
    );
  const { size, tiles } = tilingOf(shape, { tile: 512, margin: 0, grain: grainOf(network) });
  const { factor, offset } = scale;
  const scaled = (await combine([[factor, images]], { ...job, offset: -offset * factor })).data;
  const schedule = diffusion && noiseSchedule(diffusion);
  const [area, plane] = [sizeOf(size), sizeOf(shape)];
  const probes: Probe[] = [];
  for (let i = 0; i < Math.min(samples, count); i++) {
    const n = Math.floor((i * count) / Math.min(samples, count));
    let x = new Float32Array(channels * area);
    for (let c = 0; c < channels; c++) {
      const from = (n * channels + c) * plane;
      copyIn(scaled.subarray(from, from + plane), shape, tiles[0]!, size, x.subarray(c * area, (c + 1) * area));
    }
    const feeds: Feeds = {};
    let noisy: Omit<Probe, "feeds"> = { gain: 1 };
    if (schedule) {
      // limits and loss take probes in turn: pairs of them have the same noise
      const share = noiseShares[(i >> 1) % noiseShares.length]!;
      const t = Math.round(share * (schedule.alphasCumprod.length - 1));
      const bar = schedule.alphasCumprod[t]!;
      const [alpha, sigma] = [Math.sqrt(bar), Math.sqrt(1 - bar)];
      const noise = await normalNoise([x.length], { ...job, seed, stream: i });
      const parts = [
        [alpha, volume(x, [x.length])],
        [sigma, noise],
      ] as const;
      noisy = { clean: x, gain: Math.abs(cleanFrom(diffusion.prediction, alpha, sigma).output) };
      x = (await combine(parts, job)).data;
      feeds["t"] = { data: Float32Array.of(t), shape: [1] };
    }
    if (network.kind === "unet" && network.classes)
      feeds["class"] = { data: BigInt64Array.of(BigInt(network.classes)), shape: [1] };
    if (network.kind === "unet" && network.values)
      feeds["values"] = { data: new Float32Array(network.values), shape: [1, network.values] };
    feeds["x"] = { data: x, shape: [1, channels, ...size] };
    probes.push({ feeds, ...noisy });
  }
  return { size, probes };
}
