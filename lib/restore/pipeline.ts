/**
 * Degradations one after the other, as JSON: named steps, each with a probability, whose numbers are drawn from ranges by the seed. Label
 * maps follow what moves pixels. docs/restore.md lists the steps.
 */
import { z } from "zod";
import { type ArrayLike, rowMajorStride, sizeOf, type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { gaussian } from "../image/gaussian.ts";
import { floats, requireSameShape } from "../image/input.ts";
import { clip, combine, quantile, requireFinite } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import type { OperationOptions } from "../native/job.ts";
import { sentenceOf } from "../networks/description.ts";
import {
  addBiasField,
  coarserPixels,
  part,
  ricianNoise,
  simulateMotion,
  thickerSlices,
  truncateKspace,
  undersample,
  uniforms,
} from "./degrade.ts";
import { lowDoseImages } from "./low-dose.ts";

const share = z.number().min(0).max(1);
const positive = z.number().positive();
/** One number, or the least and the largest: one between them is drawn. */
const drawn = (number: z.ZodNumber) =>
  z.union([number, z.tuple([number, number]).refine(([low, high]) => low <= high, "low is above high")], {
    error: "expected a number within bounds, or [low, high] of such",
  });
const percentiles = z
  .tuple([z.number().min(0).max(100), z.number().min(0).max(100)])
  .refine(([low, high]) => low < high, "low is not below high");

const common = { probability: share.optional() };
const steps = z.discriminatedUnion("do", [
  z.strictObject({ ...common, do: z.literal("flip"), axes: z.array(z.enum(["slice", "row", "column"])).min(1) }),
  z.strictObject({ ...common, do: z.literal("crop"), size: z.array(z.int().min(1)).min(2).max(3) }),
  z.strictObject({
    ...common,
    do: z.literal("coarser-pixels"),
    factor: drawn(z.number().min(1)),
    keepSize: z.boolean().optional(),
  }),
  z.strictObject({ ...common, do: z.literal("thicker-slices"), slices: drawn(z.int().min(1)) }),
  z.strictObject({ ...common, do: z.literal("blur"), sigma: drawn(z.number().min(0)) }),
  z.strictObject({
    ...common,
    do: z.literal("low-dose"),
    fraction: drawn(positive.max(1)),
    photons: positive.optional(),
    electronicNoise: z.number().min(0).optional(),
  }),
  z.strictObject({ ...common, do: z.literal("truncate-kspace"), fraction: drawn(positive.max(1)) }),
  z.strictObject({
    ...common,
    do: z.literal("undersample"),
    acceleration: drawn(z.number().min(1)),
    centre: share.optional(),
    pattern: z.enum(["random", "regular"]).optional(),
  }),
  z.strictObject({
    ...common,
    do: z.literal("motion"),
    kind: z.enum(["sudden", "periodic"]).optional(),
    degrees: drawn(z.number().min(0).max(45)).optional(),
    pixels: drawn(z.number().min(0)).optional(),
    count: drawn(z.int().min(1).max(1000)).optional(),
  }),
  z.strictObject({
    ...common,
    do: z.literal("bias-field"),
    strength: drawn(z.number().min(0)),
    order: z.int().min(1).max(8).optional(),
  }),
  z.strictObject({ ...common, do: z.literal("rician-noise"), share: drawn(z.number().min(0)) }),
  z.strictObject({ ...common, do: z.literal("clip"), window: z.tuple([z.number(), z.number()]) }),
  z.strictObject({ ...common, do: z.literal("normalise"), percentiles }),
]);
const schema = z.strictObject({
  name: z.string().optional(),
  /** Images of another modality are refused where both are known. */
  modality: z.enum(["CT", "MR"]).optional(),
  steps: z.array(steps).min(1),
});

export type DegradationPipeline = z.infer<typeof schema>;
type Step = DegradationPipeline["steps"][number];

/** Shipped pipelines: CT in HU at 5 to 50 % of its dose; MR as a restless patient in an uneven coil gives it, from 0 to 1. */
export const degradationPresets: Readonly<Record<string, DegradationPipeline>> = {
  "ct-low-dose": {
    name: "ct-low-dose",
    modality: "CT",
    steps: [
      { do: "low-dose", fraction: [0.05, 0.5] },
      { do: "clip", window: [-1024, 3071] },
    ],
  },
  mr: {
    name: "mr",
    modality: "MR",
    steps: [
      { do: "bias-field", strength: [0.1, 0.4], probability: 0.5 },
      { do: "motion", kind: "sudden", degrees: [1, 4], pixels: [1, 4], count: [1, 3], probability: 0.3 },
      { do: "undersample", acceleration: [2, 4], probability: 0.3 },
      { do: "truncate-kspace", fraction: [0.5, 0.9], probability: 0.3 },
      { do: "rician-noise", share: [0.01, 0.06], probability: 0.9 },
      { do: "normalise", percentiles: [0, 99.5] },
    ],
  },
};

/** Checks parsed JSON, or finds the preset of a name. Throws ERR_SINO_IO_FORMAT that names the field, ERR_SINO_OUT_OF_RANGE (no such preset). */
export function parsePipeline(json: unknown, source = "the pipeline"): DegradationPipeline {
  if (typeof json === "string") {
    if (Object.hasOwn(degradationPresets, json)) return degradationPresets[json]!;
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected ${Object.keys(degradationPresets).join(" or ")}, or a pipeline of one's own, but received ${show(json)}.`,
    );
  }
  const checked = schema.safeParse(json);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0]!;
  const known = [schema, ...steps.options].flatMap(({ shape }) => Object.keys(shape));
  throw sinoError("ERR_SINO_IO_FORMAT", sentenceOf(issue, known, source), { details: { path: issue.path } });
}

export interface DegradeOptions extends OperationOptions {
  /** Whole number from 0 to 2^53 − 1. */
  seed: number;
  /** Keeps apart several images of one seed; default 0. */
  stream?: number | undefined;
  /** A mask or labels, of the image's shape: they follow what moves pixels, and their values never mix. */
  labels?: ArrayLike | undefined;
  /** Voxel size in mm along slice, row and column; default 1. "low-dose" scans in mm. */
  sampling?: readonly [slice: number, row: number, column: number] | undefined;
}

export interface Degraded {
  image: Volume;
  /** Of the same kind of array as those given. */
  labels?: Volume<TypedArray>;
  /** Of the result's voxels, mm. */
  sampling: [slice: number, row: number, column: number];
  /** Steps that were done, with the numbers that were drawn: as JSON for a record, and as a pipeline without chance. */
  steps: object[];
}

/** An image on its way, as [slice, row, column]. */
interface State {
  image: ArrayLike;
  labels: ArrayLike | undefined;
  sampling: readonly [number, number, number];
}

interface Draws {
  /** From [0, 1), at will. */
  readonly next: () => number;
  readonly seed: number;
}

/**
 * A slice [row, column] or a volume [slice, row, column] through a pipeline, or a preset of that name: one of its kind per seed and stream,
 * with all numbers drawn once per call. Throws what the steps throw, ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN), and what `parsePipeline` throws.
 *
 * @example
 * const { image, labels } = await degrade(scan, "mr", { seed: 7, labels: tissues });
 */
export async function degrade(
  image: ArrayLike,
  pipeline: DegradationPipeline | string,
  options: DegradeOptions,
): Promise<Degraded> {
  const { seed, stream = 0, labels, sampling = [1, 1, 1], device, signal } = options;
  const job = { device, signal };
  const { steps } = parsePipeline(pipeline);
  await requireFinite(image, "image", job);
  const isSlice = image.shape.length === 2;
  if (labels) requireSameShape(labels, "labels", image, "image");
  let state: State = { image: asVolume(image), labels: labels && asVolume(labels), sampling };
  const done: object[] = [];
  for (const [k, step] of steps.entries()) {
    const draws = await drawsOf(seed, stream * 256 + k);
    if (draws.next() >= (step.probability ?? 1)) continue;
    const given = settled(step, draws);
    state = await applied(given, state, draws, job);
    done.push(given);
  }
  const result = await own(state.image, job);
  return {
    image: isSlice && result.shape[0] === 1 ? volume(result.data, result.shape.slice(1)) : result,
    ...(state.labels && { labels: await labelsOf(state.labels, labels!, isSlice, job) }),
    sampling: [...state.sampling],
    steps: done,
  };
}

async function drawsOf(seed: number, stream: number): Promise<Draws> {
  const numbers = await uniforms(seed, 2 ** 20 + stream, 32);
  let at = 1;
  return { seed: Math.floor(numbers[0]! * 2 ** 32), next: () => numbers[at++]! };
}

const counts = new Set(["slices", "count"]);

/** The step with numbers in the place of ranges, and without its chance. */
function settled(step: Step, { next }: Draws): Step {
  const { probability: _, ...rest } = step;
  const isRange = (name: string, value: unknown): value is [number, number] =>
    Array.isArray(value) && !["axes", "size", "window", "percentiles"].includes(name);
  const entries = Object.entries(rest).map(([name, value]) => {
    if (name === "axes") return [name, (value as string[]).filter(() => next() < 0.5)];
    if (!isRange(name, value)) return [name, value];
    const [low, high] = value;
    if (counts.has(name)) return [name, low + Math.floor(next() * (high - low + 1))];
    return [name, low + next() * (high - low)];
  });
  return Object.fromEntries(entries);
}

type Settled<K extends Step["do"]> = Extract<Step, { do: K }>;
/** Of a step whose ranges are settled. */
const number = (value: number | readonly [number, number]): number => value as number;

async function applied(step: Step, state: State, draws: Draws, job: OperationOptions): Promise<State> {
  const seeded = { ...job, seed: draws.seed };
  const { image, sampling } = state;
  const made = async (result: Promise<ArrayLike>): Promise<State> => ({ ...state, image: await result });
  switch (step.do) {
    case "flip":
      return both(state, (array) => flipped(array, step));
    case "crop":
      return cropped(step, state, draws);
    case "coarser-pixels":
      return coarser(number(step.factor), step.keepSize ?? false, state, job);
    case "thicker-slices":
      return thicker(number(step.slices), state, job);
    case "blur":
      return made(gaussian(image, { ...job, sigma: number(step.sigma) }));
    case "low-dose": {
      const { fraction, photons, electronicNoise } = step;
      const pixelMm = [sampling[1], sampling[2]] as const;
      return made(lowDoseImages(image, { ...seeded, fraction: number(fraction), photons, electronicNoise, pixelMm }));
    }
    case "truncate-kspace":
      return made(truncateKspace(image, { ...job, fraction: number(step.fraction) }));
    case "undersample": {
      const { acceleration, centre, pattern } = step;
      const found = await undersample(image, { ...seeded, acceleration: number(acceleration), centre, pattern });
      return { ...state, image: found.image };
    }
    case "motion": {
      const { kind, degrees = 3, pixels = 3, count } = step;
      const path = { kind, degrees: number(degrees), pixels: number(pixels), count: count && number(count) };
      return { ...state, image: (await simulateMotion(image, { ...seeded, ...path })).image };
    }
    case "bias-field": {
      const { strength, order } = step;
      return made(addBiasField(image, { ...seeded, strength: number(strength), ...(order && { order }) }));
    }
    case "rician-noise": {
      const bright = await quantile(await floats(image, "image", job), 0.995, job);
      const sigma = number(step.share) * Math.max(0, bright);
      return made(ricianNoise(image, { ...seeded, sigma }));
    }
    case "clip":
      return made(clip(image, ...step.window, job));
    case "normalise":
      return made(normalised(image, step, job));
  }
}

const asVolume = (array: ArrayLike): ArrayLike => {
  const stride = [...(array.stride ?? rowMajorStride(array.shape))];
  const isSlice = array.shape.length === 2;
  const shape = isSlice ? [1, ...array.shape] : [...array.shape];
  return { data: array.data, offset: array.offset ?? 0, shape, stride: isSlice ? [0, ...stride] : stride };
};

async function both(state: State, change: (array: ArrayLike) => ArrayLike): Promise<State> {
  return { ...state, image: change(state.image), labels: state.labels && change(state.labels) };
}

const axisNames = ["slice", "row", "column"] as const;

function flipped(array: ArrayLike, { axes }: Settled<"flip">): ArrayLike {
  return axisNames.reduce((view, name, axis) => {
    const count = view.shape[axis]!;
    return axes.includes(name) ? part(view, axis, count - 1, -1, count) : view;
  }, array);
}

function cropped({ size }: Settled<"crop">, state: State, { next }: Draws): Promise<State> {
  const { shape } = state.image;
  const wanted = size.length === 2 ? [shape[0]!, ...size] : size;
  if (wanted.some((n, axis) => n > shape[axis]!))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `A crop of ${show(wanted)} does not fit into ${show([...shape])} pixels: leave it out or make it smaller.`,
    );
  const first = wanted.map((n, axis) => Math.floor(next() * (shape[axis]! - n + 1)));
  return both(state, (array) => wanted.reduce((view, n, axis) => part(view, axis, first[axis]!, 1, n), array));
}

async function coarser(factor: number, keepSize: boolean, state: State, job: OperationOptions): Promise<State> {
  const { image, labels, sampling } = state;
  const reduced = await coarserPixels(image, { ...job, factor });
  const [rows, columns] = image.shape.slice(1) as [number, number];
  if (keepSize)
    return { ...state, image: await resample(reduced, { ...job, shape: [rows, columns], method: "cubic" }) };
  const shape = reduced.shape.slice(1) as [number, number];
  return {
    image: reduced,
    labels: labels && (await resample(labels, { ...job, shape, method: "nearest" })),
    sampling: [sampling[0], (sampling[1] * rows) / shape[0], (sampling[2] * columns) / shape[1]],
  };
}

/** Labels are those of the middle slices. */
async function thicker(slices: number, state: State, job: OperationOptions): Promise<State> {
  const { image, labels, sampling } = state;
  const reduced = await thickerSlices(image, { ...job, slices });
  const middle = (array: ArrayLike) => part(array, 0, slices >> 1, slices, reduced.shape[0]!);
  return {
    image: reduced,
    labels: labels && middle(labels),
    sampling: [sampling[0] * slices, sampling[1], sampling[2]],
  };
}

/** From 0 to 1 between two percentiles. */
async function normalised(image: ArrayLike, step: Settled<"normalise">, job: OperationOptions): Promise<Volume> {
  const values = await floats(image, "image", job);
  const [from, to] = step.percentiles;
  const [low, high] = [await quantile(values, from / 100, job), await quantile(values, to / 100, job)];
  const factor = high > low ? 1 / (high - low) : 0;
  return combine([[factor, image]], { ...job, offset: -low * factor, low: 0, high: 1 });
}

/** Contiguous, and never the caller's memory. */
async function own(array: ArrayLike, job: OperationOptions): Promise<Volume> {
  return combine([[1, array]], job);
}

async function labelsOf(labels: ArrayLike, given: ArrayLike, isSlice: boolean, job: OperationOptions) {
  const data = await floats(labels, "labels", job);
  const Kind = given.data.constructor as new (values: ArrayLike["data"]) => TypedArray;
  const shape = isSlice ? labels.shape.slice(1) : [...labels.shape];
  return volume(new Kind(data.subarray(0, sizeOf(labels.shape))), shape);
}
