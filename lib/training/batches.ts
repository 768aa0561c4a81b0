/** The feeds of each step: crops of samples, noise, times and weights, all by seed and step. */
import { sizeOf } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { lossWeights, noiseSchedule } from "../diffusion/schedule.ts";
import type { Values } from "../models/session.ts";
import { mirrored } from "../models/tiles.ts";
import { normalNoise } from "../physics/noise.ts";
import { isConditional, type TrainingConfig } from "./config.ts";
import { type Labels, labelFeeds, readAllLabels } from "./labels.ts";
import { type Crop, copyCrop, drawCrop, numbers, readSamples, type Samples, Shuffle, wholeCrop } from "./samples.ts";
import type { Recipe } from "./step-graph.ts";
import { poseMatrix, seenAround, widened } from "./warp.ts";

export type Feeds = Record<string, Values>;

/** Streams of the seed: initial weights come first, one per parameter. */
const noiseStream = 1 << 20;
const validationStream = 1 << 30;

export interface Dataset {
  readonly input: Samples;
  readonly target: Samples | undefined;
  /** Of the samples to train on, and of those kept from their end. */
  readonly labels: Labels;
  readonly trainCount: number;
  readonly validationCount: number;
  /** Of targets that belong to no input, counted as inputs are. */
  readonly apart?: { readonly trainCount: number; readonly validationCount: number } | undefined;
  /** Of the crops that the network sees. */
  readonly patch: readonly number[];
  /** What is read around a crop that will be turned and enlarged. */
  readonly seen: readonly number[];
  /** How much larger targets are. */
  readonly factor: number;
}

/** Reads what a run trains on. Throws ERR_SINO_SHAPE where input, target and patch do not fit. */
export async function readDataset(config: TrainingConfig): Promise<Dataset> {
  const { data, network } = config;
  const dimensions = network.kind === "unet" ? (network.dimensions ?? 2) : 2;
  const { validation = 0.1 } = data;
  const own = await readSamples(data.input, dimensions);
  const held = typeof validation === "string" ? await readSamples(validation, dimensions) : undefined;
  const input = held ? joined(own, held, validation as string) : own;
  const target =
    data.target === undefined || data.target === data.input ? undefined : await readSamples(data.target, dimensions);
  if (held && target)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `${validation} holds inputs without targets: give validation as a share instead.`,
    );
  const factor = network.kind === "srresnet" ? (network.factor ?? 2) : 1;
  const size = input.size.map((n) => n * factor);
  const isApart = config.task === "unpaired";
  if (isApart) requireAlike(input, target ?? input, data.target ?? data.input);
  else if ((target ?? input).count !== input.count || (target ?? input).size.join() !== size.join())
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected ${input.count} targets of [${size.join(", ")}] for ${data.input} but ${data.target ?? data.input} holds ${(target ?? input).count} of [${(target ?? input).size.join(", ")}].`,
    );
  if (config.task === "segmentation") requireMask(target ?? input, data.target ?? data.input);
  const drawn = isConditional(config) && network.kind === "unet" ? network.outChannels : 0;
  if (input.channels + drawn !== network.inChannels)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `The network expected ${network.inChannels - drawn} channels but ${data.input} has ${input.channels}.`,
    );
  if (drawn > 0 && (target ?? input).channels !== drawn)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `The network expected targets of ${drawn} channels but ${data.target} has ${(target ?? input).channels}.`,
    );
  const within = isApart ? input.size.map((n, i) => Math.min(n, (target ?? input).size[i]!)) : input.size;
  const patch = data.patch ?? within;
  if (patch.length !== dimensions || patch.some((n, i) => n > within[i]!))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a patch within [${within.join(", ")}] but received [${patch.join(", ")}].`,
    );
  if (data.turn && (patch.length !== 2 || patch[0] !== patch[1]))
    throw sinoError("ERR_SINO_SHAPE", `Expected square crops for turn but received [${patch.join(", ")}].`);
  const isWarped = isWarping(data);
  if (isWarped && patch.length !== 2)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected crops of two axes for rotate and zoom but received [${patch.join(", ")}].`,
    );
  const seen = isWarped ? seenAround(patch, input.size, data) : patch;
  const split = (count: number) => {
    const kept = held?.count ?? Math.min(count - 1, Math.round(count * (validation as number)));
    return { trainCount: count - kept, validationCount: kept };
  };
  const labels = await readAllLabels(config, own.count);
  const apart = isApart ? { apart: split((target ?? input).count) } : {};
  return { input, target, labels, ...split(input.count), ...apart, patch, seen, factor };
}

/** Two sets without pairs have the same channels. Throws ERR_SINO_SHAPE. */
function requireAlike(a: Samples, b: Samples, path: string): void {
  if (a.channels !== b.channels)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `${path} expected ${a.channels} ${a.channels === 1 ? "channel" : "channels"}, as the input has, but has ${b.channels}.`,
    );
}

/** Throws ERR_SINO_OUT_OF_RANGE for anything but 0 and 1. */
function requireMask({ data }: Samples, path: string): void {
  const bad = data.findIndex((v) => v !== 0 && v !== 1);
  if (bad >= 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `${path} expected masks of 0 and 1 to segment by but element ${bad} is ${data[bad]}.`,
      { details: { index: bad } },
    );
}

/** The samples of a file of their own behind those to train on. Throws ERR_SINO_SHAPE where they are not alike. */
function joined(own: Samples, held: Samples, path: string): Samples {
  if (held.channels !== own.channels || held.size.join() !== own.size.join())
    throw sinoError(
      "ERR_SINO_SHAPE",
      `${path} expected samples of [${[own.channels, ...own.size].join(", ")}], as those to train on, but holds [${[held.channels, ...held.size].join(", ")}].`,
    );
  const data = new Float32Array(new SharedArrayBuffer(own.data.byteLength + held.data.byteLength));
  data.set(own.data);
  data.set(held.data, own.data.length);
  return { ...own, count: own.count + held.count, data };
}

const isWarping = ({ rotate, zoom }: TrainingConfig["data"]): boolean => !!rotate || zoom !== undefined;

export const recipeOf = (config: TrainingConfig, { seen }: Dataset): Recipe => {
  const { data, task, diffusion } = config;
  return {
    task,
    isConditional: isConditional(config),
    residual: diffusion?.residual,
    offset: data.offset,
    factor: data.factor,
    noise: data.noise,
    ...(isWarping(data) && { warp: { seen, masks: data.masks ?? false } }),
    turn: data.turn,
    gain: data.gain !== undefined,
    shift: data.shift !== undefined,
  };
};

interface Pick {
  readonly sample: number;
  readonly crop: Crop;
}

export class Batches {
  readonly #config: TrainingConfig;
  readonly #dataset: Dataset;
  readonly #shuffle: Shuffle;
  /** Of targets that belong to no input. */
  readonly #apart: Shuffle | undefined;
  readonly #mixes: Float64Array | undefined;
  readonly #weights: Float64Array | undefined;

  constructor(config: TrainingConfig, dataset: Dataset) {
    this.#config = config;
    this.#dataset = dataset;
    this.#shuffle = new Shuffle(dataset.trainCount, config.seed ?? 0);
    // of another seed: sets of one length would be paired for good
    this.#apart = dataset.apart && new Shuffle(dataset.apart.trainCount, (config.seed ?? 0) + 1);
    if (config.task !== "diffusion") return;
    const { kind = "cosine", steps = 1000, prediction = "epsilon", shift, minSnr } = config.diffusion ?? {};
    const schedule = noiseSchedule({ kind, steps, shift });
    this.#mixes = mixesOf(schedule.alphasCumprod, prediction);
    this.#weights = minSnr ? lossWeights(schedule, { gamma: minSnr, prediction }) : undefined;
  }

  /** What step 0, 1, … of training is fed besides the state. */
  train(step: number): Promise<Feeds> {
    const { batch, data, seed = 0 } = this.#config;
    const { input, target, patch } = this.#dataset;
    const next = numbers(seed, noiseStream + step);
    const drawn = (shuffle: Shuffle, size: readonly number[]): Pick[] =>
      Array.from({ length: batch }, (_, i) => ({
        sample: shuffle.at(step * batch + i),
        crop: drawCrop(size, patch, data.flip ?? false, next),
      }));
    const picks = drawn(this.#shuffle, input.size);
    const others = this.#apart && drawn(this.#apart, target!.size);
    return this.#feeds({ picks, others }, noiseStream + step, next);
  }

  /** The batches of the validation samples: the same at every validation, in the middle of each image, nothing mirrored. */
  async *validation(): AsyncGenerator<{ feeds: Feeds; count: number }> {
    const { batch, seed = 0 } = this.#config;
    const { input, target, patch, trainCount, validationCount, apart } = this.#dataset;
    const middle = (size: readonly number[]) => ({
      ...wholeCrop(patch),
      first: size.map((n, i) => (n - patch[i]!) >> 1),
    });
    for (let first = 0; first < validationCount; first += batch) {
      const count = Math.min(batch, validationCount - first);
      const picks = Array.from({ length: batch }, (_, i) => ({
        sample: trainCount + first + Math.min(i, count - 1),
        crop: middle(input.size),
      }));
      // those of the other set as often as it takes
      const others =
        apart &&
        picks.map((_, i) => ({
          sample:
            (apart.validationCount ? apart.trainCount : 0) +
            ((first + i) % (apart.validationCount || apart.trainCount)),
          crop: middle(target!.size),
        }));
      const stream = validationStream + first;
      const feeds = await this.#feeds({ picks, others }, stream, numbers(seed, stream), true);
      const weight = feeds["weight"]!.data as Float32Array;
      weight.fill(0, count);
      yield { feeds, count };
    }
  }

  async #feeds(
    { picks, others }: { picks: readonly Pick[]; others?: readonly Pick[] | undefined },
    stream: number,
    next: () => number,
    isValidation = false,
  ): Promise<Feeds> {
    const { data, seed = 0 } = this.#config;
    const { input, target, labels, patch, seen, factor } = this.#dataset;
    const n = picks.length;
    const isWarped = isWarping(data) && !isValidation;
    const crops = picks.map(({ crop }) => (isWarped ? widened(crop, patch, seen, input.size) : { crop, middle: [] }));
    const places = picks.map(({ sample }, i) => ({ sample, crop: crops[i]!.crop }));
    const take = (from: Samples, times = 1, at: readonly Pick[] = places): Values => {
      const size = (isWarped ? seen : patch).map((m) => m * times);
      const length = from.channels * sizeOf(size);
      const values = new Float32Array(n * length);
      at.forEach(({ sample, crop }, i) => {
        const first = crop.first.map((at) => at * times);
        copyCrop(from, sample, size, { ...crop, first }, values, i * length);
      });
      return { data: values, shape: [n, from.channels, ...size] };
    };
    const perSample = (make: () => number): Values => ({ data: Float32Array.from(picks, make), shape: [n] });
    const feeds: Feeds = { input: take(input), weight: perSample(() => 1) };
    if (this.#config.task === "noise2void") {
      feeds["target"] = feeds["input"]!;
      feeds["input"] = blinded(feeds["target"], next);
      // so many pixels count
      feeds["weight"] = perSample(() => cell ** patch.length);
    } else if (this.#config.task !== "diffusion" || isConditional(this.#config))
      feeds["target"] = target ? take(target, factor, others) : feeds["input"]!;
    if (isWarped) {
      const { rotate = 0, zoom = [1, 1] } = data;
      const matrices = crops.flatMap(({ middle }) => {
        const radians = ((2 * next() - 1) * rotate * Math.PI) / 180;
        return poseMatrix({ middle, radians, zoom: zoom[0] * (zoom[1] / zoom[0]) ** next() }, seen);
      });
      feeds["pose"] = { data: Float32Array.from(matrices), shape: [n, 3, 2] };
    }
    if (data.turn) feeds["turn"] = perSample(() => (!isValidation && next() < 0.5 ? 1 : 0));
    if (data.gain) {
      const [low, high] = data.gain;
      feeds["gain"] = perSample(() => (isValidation ? 1 : low + (high - low) * next()));
    }
    if (data.shift) feeds["shift"] = perSample(() => (isValidation ? 0 : data.shift! * normalOf(next)));
    if (this.#mixes || data.noise) {
      const noisy = isConditional(this.#config) ? (target ?? input) : input;
      const shape = [n, noisy.channels, ...patch];
      feeds["noise"] = { data: (await normalNoise(shape, { seed, stream, device: "cpu" })).data, shape };
    }
    if (this.#mixes) {
      const steps = this.#mixes.length / 4;
      const times = picks.map(() => Math.floor(next() * steps));
      feeds["t"] = { data: Float32Array.from(times), shape: [n] };
      feeds["mix"] = {
        data: Float32Array.from(times.flatMap((t) => [...this.#mixes!.subarray(4 * t, 4 * t + 4)])),
        shape: [n, 4],
      };
      if (this.#weights) feeds["weight"] = { data: Float32Array.from(times, (t) => this.#weights![t]!), shape: [n] };
    }
    // drawn in any case: a network with labels sees the crops and times of one without
    const said = picks.map(({ sample }) => (next() < (data.drop ?? 0.1) && !isValidation ? undefined : sample));
    return { ...feeds, ...labelFeeds(labels, said) };
  }
}

/** One blind spot in every so many pixels along each axis. */
const cell = 8;

/**
 * Images whose blind spots hold the value of a pixel nearby (two pixels at most along each axis), so that the network cannot see what it is
 * asked for (A. Krull, T.-O. Buchholz, F. Jug, "Noise2Void", CVPR 2019). Mirrored at borders.
 */
function blinded({ data, shape }: Values, next: () => number): Values {
  const original = data as Float32Array;
  const result = original.slice();
  const size = shape.slice(2);
  const step = size.map((_, axis) => sizeOf(size.slice(axis + 1)));
  const cells = size.map((n) => Math.ceil(n / cell));
  const [images, pixels] = [shape[0]! * shape[1]!, sizeOf(size)];
  for (let image = 0; image < images; image++)
    for (let c = 0; c < sizeOf(cells); c++) {
      let [at, from, rest] = [image * pixels, image * pixels, c];
      for (let axis = size.length - 1; axis >= 0; axis--) {
        const n = size[axis]!;
        const i = (rest % cells[axis]!) * cell + Math.floor(next() * cell);
        rest = Math.floor(rest / cells[axis]!);
        const place = Math.min(n - 1, i);
        at += place * step[axis]!;
        from += mirrored(place + Math.floor(next() * 5) - 2, n) * step[axis]!;
      }
      // its own value, one time in 25, would leave it in sight
      if (from === at) from += at % pixels === 0 ? Math.min(1, pixels - 1) : -1;
      result[at] = original[from]!;
    }
  return { data: result, shape };
}

/** Box & Muller. */
function normalOf(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** For every time: clean and noise in the network's input, clean and noise in what is asked of it. */
function mixesOf(alphasCumprod: Float64Array, prediction: "epsilon" | "sample" | "v"): Float64Array {
  const mixes = new Float64Array(4 * alphasCumprod.length);
  alphasCumprod.forEach((alpha, t) => {
    const [a, s] = [Math.sqrt(alpha), Math.sqrt(1 - alpha)];
    const asked = { epsilon: [0, 1], sample: [1, 0], v: [-s, a] }[prediction];
    mixes.set([a, s, ...asked], 4 * t);
  });
  return mixes;
}
