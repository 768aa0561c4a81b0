/**
 * Checkpoints: `checkpoint.safetensors` holds weights by their names and the optimiser's vectors, its metadata the step
 * and what led there. The file is replaced as a whole, so that a run killed at any moment leaves the last whole one.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { sinoError } from "../core/errors.ts";
import { type NamedArray, readSafetensors, writeSafetensors } from "../data/safetensors.ts";
import type { ParameterSpec } from "../networks/index.ts";
import type { LossScaling } from "./scaling.ts";
import { views } from "./state.ts";

/** Everything that a step changes. */
export interface TrainingState {
  readonly parameters: Float32Array<ArrayBuffer>;
  readonly first: Float32Array<ArrayBuffer>;
  readonly second: Float32Array<ArrayBuffer>;
  readonly average?: Float32Array<ArrayBuffer>;
  readonly buffers?: Float32Array<ArrayBuffer>;
  /** Of the discriminator, where one is trained alongside. */
  readonly critic?: Float32Array<ArrayBuffer>;
  readonly criticFirst?: Float32Array<ArrayBuffer>;
  readonly criticSecond?: Float32Array<ArrayBuffer>;
}

export interface RunProgress {
  /** Steps done. */
  readonly step: number;
  /** Smallest validation loss, and after which step. */
  readonly best: number | null;
  readonly bestStep: number;
  /** In half precision: the loss's factor and what was skipped. */
  readonly scaling?: LossScaling | undefined;
  /** Of the settings that a resumed run must share. */
  readonly digest: string;
}

const file = (folder: string) => join(folder, "checkpoint.safetensors");

export const hasCheckpoint = (folder: string): Promise<boolean> =>
  stat(file(folder)).then(
    () => true,
    () => false,
  );

type Specs = { readonly parameters: readonly ParameterSpec[]; readonly buffers: readonly ParameterSpec[] };

const vectors = ["first", "second", "average", "critic", "criticFirst", "criticSecond"] as const;

/** Weights by name, the moving average where there is one, running statistics included. */
export function namedWeights(specs: Specs, state: TrainingState): Map<string, NamedArray> {
  const map = new Map<string, NamedArray>();
  const put = (list: readonly ParameterSpec[], vector: Float32Array) => {
    const parts = views(list, vector);
    for (const { name, shape } of list) map.set(name, { shape, data: parts.get(name)! });
  };
  put(specs.parameters, state.average ?? state.parameters);
  if (state.buffers) put(specs.buffers, state.buffers);
  return map;
}

/** Writes the checkpoint of a folder. Throws ERR_SINO_IO; the former one stays then. */
export async function writeCheckpoint(
  folder: string,
  specs: Specs,
  state: TrainingState,
  progress: RunProgress,
): Promise<void> {
  const { average: _, ...now } = state;
  const tensors = namedWeights(specs, now);
  for (const name of vectors) {
    const data = state[name];
    if (data) tensors.set(`state.${name}`, { shape: [data.length], data });
  }
  await writeSafetensors(file(folder), { tensors, metadata: { progress: JSON.stringify(progress) } });
}

/** Reads it back into the arrays of a state. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_MODEL (another network's or another run's). */
export async function readCheckpoint(
  folder: string,
  specs: Specs,
  state: TrainingState,
  digest: string,
): Promise<RunProgress> {
  const { tensors, metadata } = await readSafetensors(file(folder));
  const progress = JSON.parse(metadata["progress"] ?? "{}") as RunProgress;
  if (progress.digest !== digest)
    throw sinoError(
      "ERR_SINO_MODEL",
      `${file(folder)} is of a run with other settings. Give the settings it was made with, or another output folder.`,
    );
  const take = (name: string, to: Float32Array) => {
    const found = tensors.get(name);
    if (found?.data.length !== to.length)
      throw sinoError(
        "ERR_SINO_MODEL",
        `${file(folder)} expected ${to.length} values of ${name} but holds ${found?.data.length ?? "none"}.`,
      );
    to.set(found.data);
  };
  for (const [name, part] of views(specs.parameters, state.parameters)) take(name, part);
  if (state.buffers) for (const [name, part] of views(specs.buffers, state.buffers)) take(name, part);
  for (const name of vectors) if (state[name]) take(`state.${name}`, state[name]);
  return progress;
}
