/** `sinogram enhance`: contrast and brightness, by the classics. */
import { sinoError } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { correctBiasField } from "../image/bias-field.ts";
import { clahe, equalizeHistogram } from "../image/equalize.ts";
import { type Command, jobOptions, type Run } from "./command.ts";
import { UsageError } from "./failure.ts";
import { type Made, type RestoredOptions, restored, type Source } from "./restored.ts";

export interface EnhanceOptions extends RestoredOptions {
  method: "clahe" | "equalize" | "n4";
  window?: [number, number];
  limit?: number;
}

export function enhance(input: string, given: EnhanceOptions): Command {
  return (run) => {
    const { method, window, limit } = given;
    if (method !== "clahe" && limit !== undefined) throw new UsageError(`--limit is for clahe, not for ${method}.`);
    if (method === "n4" && window !== undefined)
      throw new UsageError("--window is for clahe and equalize, not for n4.");
    const make = (source: Source) => made(source, given, run);
    const work = { command: "enhance", title: "Enhancement", make, isForLooking: method !== "n4" };
    return restored(input, given, work, run);
  };
}

async function made(source: Source, { method, window, limit }: EnhanceOptions, run: Run): Promise<Made> {
  const { images, modality } = source;
  const about = (facts: Made["facts"], notes: string[]) => ({
    description: `Enhanced, ${method}`,
    derivation: `Enhanced by sinogram ${version} with ${method}.`,
    configuration: { operation: "enhance", version, method, ...(window && { window }), ...(limit && { limit }) },
    facts: [["Method", method] as const, ...facts],
    notes,
  });
  if (method === "n4") {
    if (modality === "CT")
      throw sinoError(
        "ERR_SINO_UNSUPPORTED",
        `n4 takes slow changes of brightness out of MR, but ${source.input} is CT: HU have none. Use clahe or equalize.`,
      );
    const { image } = await correctBiasField(images, jobOptions(run));
    return { images: image, ...about([], ["The bias field was divided out; its geometric mean is 1."]) };
  }
  const options = { ...jobOptions(run), window };
  const result = await (method === "clahe" ? clahe(images, { ...options, limit }) : equalizeHistogram(images, options));
  const span = window ? `${window[0]} to ${window[1]}` : "lowest to highest of each slice";
  return {
    images: result,
    ...about([["Grey values spread", span]], ["For looking at, not for measuring: values no longer mean anything."]),
  };
}
