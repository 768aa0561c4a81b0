/** `sinogram train`: a network from a JSON file. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { modelFolder } from "../models/shipped.ts";
import { parseTraining, type TrainingConfig, type TrainResult, train as trainNetwork } from "../training/index.ts";
import type { Command, Run } from "./command.ts";
import { duration } from "./progress.ts";

/** Reads a training file; the data's paths become relative to where we are. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT. */
export async function readTraining(path: string): Promise<TrainingConfig> {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw ioError("read", path, cause);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw sinoError("ERR_SINO_IO_FORMAT", `${path} is not JSON: ${(cause as Error).message}.`, { cause });
  }
  const config = parseTraining(json, path);
  const near = (file: string) => resolve(dirname(path), file);
  const { data, loss } = config;
  const perceptual = loss?.perceptual && { ...loss.perceptual, model: near(loss.perceptual.model) };
  return {
    ...config,
    ...(loss && { loss: { ...loss, perceptual } }),
    ...(config.from !== undefined && { from: near(config.from) }),
    ...(config.teacher !== undefined && { teacher: near(config.teacher) }),
    data: {
      ...data,
      input: near(data.input),
      ...(data.target !== undefined && { target: near(data.target) }),
      ...(data.classes !== undefined && { classes: near(data.classes) }),
      ...(data.values !== undefined && { values: near(data.values) }),
      ...(data.context !== undefined && { context: near(data.context) }),
      ...(typeof data.validation === "string" && { validation: near(data.validation) }),
    },
  };
}

export function train(path: string, given: { output: string; resume?: boolean; teacher?: string }): Command {
  return async (run) => {
    const config = await readTraining(path);
    const teacher = given.teacher === undefined ? {} : { teacher: await modelFolder(given.teacher) };
    const { text, result } = await trained({ ...config, ...teacher }, given, run);
    await run.console.result({ ...result }, text);
    return 0;
  };
}

/** Trains and says how it goes; gives the result, and in words. */
export async function trained(
  config: TrainingConfig,
  given: { output: string; resume?: boolean },
  { console, options, signal }: Run,
): Promise<{ text: string; result: TrainResult }> {
  if (config.precision === "float16" && (config.provider ?? "cpu") === "cpu")
    console.log(
      "float16: the processors have no products of it and compute them in float32; a graphics processor gains.",
    );
  const seconds: number[] = [];
  const result = await trainNetwork(options.threads ? { ...config, threads: options.threads } : config, {
    folder: given.output,
    resume: given.resume ?? false,
    signal,
    onEvent(event) {
      seconds.push(event.seconds);
      const { step, steps, loss, validation } = event;
      const recent = seconds.slice(-20);
      const left = (recent.reduce((a, b) => a + b, 0) / recent.length) * (steps - step);
      if (validation !== undefined)
        console.log(`step ${step}: loss ${loss.toPrecision(4)}, validation ${validation.toPrecision(4)}`);
      console.progressText(`step ${step}/${steps}, loss ${loss.toPrecision(4)}, ${duration(left)} left`, {
        phase: "train",
        done: step,
        total: steps,
      });
    },
  });
  const { steps, loss, best, bestStep, skipped, model } = result;
  const text = [
    `steps       ${steps}`,
    `loss        ${loss.toPrecision(5)}`,
    ...(best === null ? [] : [`validation  ${best.toPrecision(5)}, best after step ${bestStep}`]),
    ...(skipped ? [`skipped     ${skipped} steps, whose gradients overflowed float16`] : []),
    `model       ${model}`,
    "",
  ].join("\n");
  return { text, result };
}
