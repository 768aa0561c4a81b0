/** `sinogram degrade`: images as less dose, a restless patient or a coarser scanner would show them. */
import { readFile } from "node:fs/promises";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { version } from "../core/version.ts";
import {
  type DegradationPipeline,
  degradationPresets,
  degrade as degraded,
  parsePipeline,
} from "../restore/pipeline.ts";
import { type Command, quietly, type Run } from "./command.ts";
import { UsageError } from "./failure.ts";
import { isArrayFile, type Made, type RestoredOptions, restored, type Source } from "./restored.ts";

export interface DegradeOptions extends RestoredOptions {
  /** A preset or a JSON file. */
  pipeline: string;
  seed: number;
}

export function degrade(input: string, given: DegradeOptions): Command {
  return async (run) => {
    const pipeline = await pipelineOf(given.pipeline);
    const moving = pipeline.steps.find(movesPixels);
    if (moving)
      throw new UsageError(
        `${moving.do} moves pixels away from where headers say they are: leave it out here, or call degrade from a program.`,
      );
    if (pipeline.steps.some((step) => step.do === "normalise") && !isArrayFile(given.output))
      throw new UsageError(
        `normalise makes values from 0 to 1, which no derived series holds: name a .npy or .nii.gz file with -o.`,
      );
    const make = (source: Source) => made(source, pipeline, given, run);
    return restored(input, given, { command: "degrade", title: "Degradation", make }, run);
  };
}

async function pipelineOf(name: string): Promise<DegradationPipeline> {
  if (!/\.json$/i.test(name)) return parsePipeline(name);
  const text = await readFile(name, "utf8").catch((error) => {
    throw ioError("read", name, error);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw sinoError("ERR_SINO_IO_FORMAT", `${name} is not JSON: ${(cause as Error).message}.`, { cause });
  }
  return parsePipeline(json, name);
}

const movesPixels = (step: DegradationPipeline["steps"][number]): boolean =>
  step.do === "flip" ||
  step.do === "crop" ||
  step.do === "thicker-slices" ||
  (step.do === "coarser-pixels" && !step.keepSize);

async function made(source: Source, pipeline: DegradationPipeline, given: DegradeOptions, run: Run): Promise<Made> {
  const { input, images, modality, pixelMm } = source;
  const { seed } = given;
  const name = Object.hasOwn(degradationPresets, given.pipeline) ? given.pipeline : (pipeline.name ?? "pipeline");
  const needs = pipeline.steps.some((step) => step.do === "low-dose") ? "CT" : pipeline.modality;
  if (needs && needs !== modality)
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      modality
        ? `${name} is for ${needs}, but ${input} is ${modality}. Choose another pipeline.`
        : `${name} is for ${needs}, and ${input} does not say what it is: add --modality ${needs.toLowerCase()} where that holds.`,
      { details: { expected: needs, found: modality } },
    );
  const sampling = [source.sliceMm ?? 1, ...pixelMm] as const;
  const { image, steps } = await degraded(images, pipeline, { ...quietly(run), seed, sampling });
  const done = steps.map((step) => (step as { do: string }).do);
  return {
    images: image,
    description: `Degraded, ${name}`.slice(0, 40),
    derivation: `Made worse on purpose by sinogram ${version}: ${done.join(", ") || "nothing"}; seed ${seed}.`.slice(
      0,
      1024,
    ),
    configuration: { operation: "degrade", version, pipeline, seed, steps },
    facts: [
      ["Pipeline", name],
      ["Seed", String(seed)],
      ["Steps", done.join(", ") || "none: chance left all of them out"],
    ],
    notes: ["Made worse on purpose: for training and tests, not for reading."],
  };
}
