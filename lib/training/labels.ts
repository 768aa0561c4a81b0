/** What is known of each sample: a class, numbers. Networks learn to do without, too, where some are withheld. */
import { sinoError } from "../core/errors.ts";
import { readArray } from "../data/array-files.ts";
import type { Values } from "../models/session.ts";
import type { TrainingConfig } from "./config.ts";

export interface Labels {
  readonly classes?: { readonly of: readonly number[]; readonly none: number } | undefined;
  readonly values?: { readonly of: readonly number[]; readonly width: number } | undefined;
  /** One sequence of `length` vectors after the other. */
  readonly context?: { readonly of: Float32Array; readonly length: number; readonly width: number } | undefined;
}

/** Numbers [n] or [n, width] of `count` samples. Throws ERR_SINO_SHAPE. */
async function readLabels(path: string, count: number, width: number): Promise<number[]> {
  const { array } = await readArray(path);
  const [n, w = 1] = array.shape;
  if (array.shape.length > 2 || n !== count || w !== width)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `${path} expected ${width} numbers for each of ${count} samples but holds [${array.shape.join(", ")}].`,
    );
  return Array.from(array.data);
}

/** The labels that a network takes. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE for classes and values that it cannot have. */
export async function readAllLabels({ data, network: d, conditions }: TrainingConfig, count: number): Promise<Labels> {
  const { classes, values, context } = d.kind === "unet" ? d : {};
  const taken = { classes, values, context };
  for (const [name, width] of Object.entries(taken) as [keyof typeof taken, number | undefined][])
    if ((width === undefined) !== (data[name] === undefined))
      throw sinoError(
        "ERR_SINO_SHAPE",
        width === undefined
          ? `data.${name} names ${data[name]}, but the network takes no ${name}.`
          : `The network takes ${name === "context" ? "a context" : `${width} ${name}`}, but data.${name} names no file of them.`,
      );
  const of = data.classes && (await readLabels(data.classes, count, 1));
  const wrong = of ? of.findIndex((c) => !(Number.isInteger(c) && c >= 0 && c < classes!)) : -1;
  if (of && wrong >= 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `${data.classes} expected classes from 0 to ${classes! - 1} but sample ${wrong} has ${of[wrong]}.`,
    );
  const numbers = data.values && (await readLabels(data.values, count, values!));
  if (numbers && !numbers.every(Number.isFinite))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `${data.values} holds NaN or infinite values.`);
  requireNames(conditions, classes ?? 0, values ?? 0);
  return {
    ...(of && { classes: { of, none: classes! } }),
    ...(numbers && { values: { of: scaledValues(numbers, values!, conditions), width: values! } }),
    ...(data.context && { context: await readContext(data.context, count, context!) }),
  };
}

/** Names of conditions are those of all classes and all values, or of none. Throws ERR_SINO_SHAPE. */
function requireNames(conditions: TrainingConfig["conditions"], classes: number, values: number): void {
  const lists = Object.entries(conditions ?? {}).filter(([, c]) => Array.isArray(c));
  const numbers = Object.keys(conditions ?? {}).length - lists.length;
  const named = (lists[0]?.[1] as string[] | undefined)?.length;
  if (lists.length > 1 || (named !== undefined && named !== classes))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `conditions expected one list of ${classes} names of classes but has ${lists.length ? lists.map(([name, c]) => `${name} with ${(c as string[]).length}`).join(", ") : "none"}.`,
    );
  if (numbers > 0 && numbers !== values)
    throw sinoError("ERR_SINO_SHAPE", `conditions name ${numbers} values, but the network takes ${values}.`);
}

/** As the network sees them. */
function scaledValues(numbers: readonly number[], width: number, conditions: TrainingConfig["conditions"]): number[] {
  const scales = Object.values(conditions ?? {}).filter((c) => !Array.isArray(c));
  return numbers.map((v, i) => {
    const { offset = 0, factor = 1 } = (scales[i % width] ?? {}) as { offset?: number; factor?: number };
    return (v - offset) * factor;
  });
}

/** Sequences [n, length, width], or one vector each [n, width]. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE. */
async function readContext(path: string, count: number, width: number): Promise<NonNullable<Labels["context"]>> {
  const { array } = await readArray(path);
  const [n, ...rest] = array.shape;
  const [length, w] = rest.length === 1 ? [1, rest[0]] : rest;
  if (rest.length < 1 || rest.length > 2 || n !== count || w !== width || !(length! >= 1))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `${path} expected sequences [${count}, length, ${width}] but holds [${array.shape.join(", ")}].`,
    );
  const of = Float32Array.from(array.data);
  if (!of.every(Number.isFinite)) throw sinoError("ERR_SINO_OUT_OF_RANGE", `${path} holds NaN or infinite values.`);
  return { of, length: length!, width };
}

/** The feeds of some samples; of those that are undefined nothing is said: the class after the last, zeros. */
export function labelFeeds(
  { classes, values, context }: Labels,
  samples: readonly (number | undefined)[],
): Record<string, Values> {
  const feeds: Record<string, Values> = {};
  if (classes) {
    const list = samples.map((i) => BigInt((i === undefined ? undefined : classes.of[i]) ?? classes.none));
    feeds["class"] = { data: BigInt64Array.from(list), shape: [list.length] };
  }
  if (values) {
    const { of, width } = values;
    const list = samples.flatMap((i) =>
      Array.from({ length: width }, (_, k) => (i === undefined ? 0 : (of[i * width + k] ?? 0))),
    );
    feeds["values"] = { data: Float32Array.from(list), shape: [samples.length, width] };
  }
  if (context) {
    const { of, length, width } = context;
    const data = new Float32Array(samples.length * length * width);
    for (const [k, i] of samples.entries())
      if (i !== undefined) data.set(of.subarray(i * length * width, (i + 1) * length * width), k * length * width);
    feeds["context"] = { data, shape: [samples.length, length, width] };
  }
  return feeds;
}
