/** What a network is told of each image beside its pixels: a class, numbers. */
import { sinoError } from "../core/errors.ts";
import type { NetworkDescription } from "../networks/index.ts";
import type { Values } from "./session.ts";

export interface Conditions {
  /** For networks with classes: that of each image; undefined, or all of it left out: none of them. */
  readonly classes?: readonly (number | undefined)[] | undefined;
  /** For networks with values: those of each image; undefined, or all of it left out: none, as zeros. */
  readonly values?: readonly (readonly number[] | undefined)[] | undefined;
}

/**
 * Checks the conditions of `count` images; gives the feeds of some of them. Throws ERR_SINO_SHAPE where there are not as many as images or
 * values, ERR_SINO_OUT_OF_RANGE for a class or value that the network cannot have.
 */
export function conditionsOf(
  network: NetworkDescription,
  { classes: given, values }: Conditions,
  count: number,
): (images: readonly number[]) => Record<string, Values> {
  const { classes, values: width } = network.kind === "unet" ? network : {};
  for (const [name, list, takes] of [
    ["classes", given, classes],
    ["values", values, width],
  ] as const) {
    if (list && !takes) throw sinoError("ERR_SINO_SHAPE", `The network takes no ${name}, but some were given.`);
    if (list && list.length !== count)
      throw sinoError("ERR_SINO_SHAPE", `Expected ${name} of ${count} images but received those of ${list.length}.`);
  }
  const wrong = given?.find((c) => c !== undefined && !(Number.isInteger(c) && c >= 0 && c < classes!));
  if (wrong !== undefined)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected classes from 0 to ${classes! - 1} but received ${wrong}.`);
  for (const list of values ?? [])
    if (list && (list.length !== width || !list.every(Number.isFinite)))
      throw sinoError(
        list.length === width ? "ERR_SINO_OUT_OF_RANGE" : "ERR_SINO_SHAPE",
        `Expected ${width} finite values of each image but received [${list.join(", ")}].`,
      );
  const none = new Array<number>(width ?? 0).fill(0);
  return (images) => ({
    ...(classes && {
      class: { data: BigInt64Array.from(images, (i) => BigInt(given?.[i] ?? classes)), shape: [images.length] },
    }),
    ...(width && {
      values: { data: Float32Array.from(images.flatMap((i) => values?.[i] ?? none)), shape: [images.length, width] },
    }),
  });
}
