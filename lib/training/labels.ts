/** What is known of each sample: a class, numbers. Networks learn to do without, too, where some are withheld. */
import { sinoError } from "../core/errors.ts";
import { readArray } from "../data/array-files.ts";
import type { Values } from "../models/session.ts";
import type { NetworkDescription } from "../networks/index.ts";
import type { TrainingConfig } from "./config.ts";

export interface Labels {
  readonly classes?: { readonly of: readonly number[]; readonly none: number } | undefined;
  readonly values?: { readonly of: readonly number[]; readonly width: number } | undefined;
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
export async function readAllLabels(
  data: TrainingConfig["data"],
  d: NetworkDescription,
  count: number,
): Promise<Labels> {
  const { classes, values } = d.kind === "unet" ? d : {};
  for (const [name, width] of Object.entries({ classes, values }) as ["classes" | "values", number | undefined][])
    if ((width === undefined) !== (data[name] === undefined))
      throw sinoError(
        "ERR_SINO_SHAPE",
        width === undefined
          ? `data.${name} names ${data[name]}, but the network takes no ${name}.`
          : `The network takes ${width} ${name}, but data.${name} names no file of them.`,
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
  return {
    ...(of && { classes: { of, none: classes! } }),
    ...(numbers && { values: { of: numbers, width: values! } }),
  };
}

/** The feeds of some samples; of those that are undefined nothing is said: the class after the last, zeros. */
export function labelFeeds(
  { classes, values }: Labels,
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
  return feeds;
}
