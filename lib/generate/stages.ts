/**
 * Cascades (J. Ho, C. Saharia, W. Chan, D. Fleet, M. Norouzi, T. Salimans, "Cascaded diffusion models for high fidelity image generation",
 * JMLR 2022): a small network draws whole slices of few pixels, and the models that its card names behind it make them larger and sharper.
 */
import { basename, resolve } from "node:path";
import { type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { gaussian } from "../image/gaussian.ts";
import { modelFolder, restorationModel, shippedModels } from "../models/shipped.ts";
import { grainOf, isConditional, loadTrained, type StageCard, type Trained } from "../models/trained.ts";
import type { OperationOptions } from "../native/job.ts";
import { superResolve } from "../restore/super-resolve.ts";
import { type GenerateOptions, generate } from "./generate.ts";

/** What happens to drawn images next. */
export interface Stage {
  readonly name: string;
  readonly folder: string;
  /** How many times as many rows and columns its images have. */
  readonly factor: number;
  /** What rows and columns have to be multiples of. */
  readonly grain: number;
  /** Images [n, row, column] in the units of the data; each on its own, by seed and number. */
  apply(images: Volume, options: StageOptions): Promise<Volume>;
}

export type StageOptions = OperationOptions & Pick<GenerateOptions, "seed" | "batch" | "provider" | "threads">;

/**
 * The stages that a model's card names in `stages`, in their order: shipped models by name, or folders, seen from its own. Throws
 * ERR_SINO_MODEL (one that is missing, that neither enlarges nor finds noise, or that finds noise without a strength), and what
 * `loadTrained` throws.
 *
 * @example
 * const folder = await modelFolder("ct-slices");
 * const trained = await loadTrained(folder);
 * const hu = await generate(trained, { seed: 7, count: 16, stages: await openStages(trained, folder) });
 */
export async function openStages({ stages: cards = [] }: Pick<Trained, "stages">, folder: string): Promise<Stage[]> {
  const shipped = await shippedModels();
  const stages: Stage[] = [];
  for (const [i, card] of cards.entries()) {
    const path = shipped.includes(card.model) ? card.model : resolve(folder, card.model);
    const found = await modelFolder(path).catch((cause) => {
      throw sinoError(
        "ERR_SINO_MODEL",
        `The slices of ${basename(folder)} go on to ${card.model}, which is missing: put it at ${path}, or draw without it (--no-stages).`,
        { details: { model: card.model }, cause },
      );
    });
    stages.push(smoothed(await openStage(card, found, i), card.smooth));
  }
  return stages;
}

const smoothed = (stage: Stage, sigma: number | undefined): Stage =>
  sigma === undefined
    ? stage
    : {
        ...stage,
        async apply(images, options) {
          const { signal, device } = options;
          return stage.apply(await gaussian(images, { sigma, signal, device }), options);
        },
      };

async function openStage(card: StageCard, folder: string, index: number): Promise<Stage> {
  const { model: name, strength, steps } = card;
  const trained = await loadTrained(folder);
  if (!trained.diffusion || isConditional(trained)) return enlarging(name, folder);
  if (strength === undefined)
    throw sinoError(
      "ERR_SINO_MODEL",
      `${name} finds noise: as a stage it expected a strength, how much noise images get, but the card names none.`,
    );
  return {
    ...{ name, folder, factor: 1, grain: grainOf(trained.network) },
    // noise of its own
    apply: (images, { seed, ...options }) =>
      generate(trained, { ...options, seed: seed + 1 + index, start: images, strength, steps }),
  };
}

async function enlarging(name: string, folder: string): Promise<Stage> {
  const model = await restorationModel(folder);
  if (model.factor === 1)
    throw sinoError("ERR_SINO_MODEL", `${name} keeps the size of images: a stage expected one that enlarges them.`);
  return {
    ...{ name, folder, factor: model.factor, grain: 1 },
    async apply(images, { signal, device, threads, onProgress }) {
      const [n, rows, columns] = images.shape as [number, number, number];
      const [from, to] = [rows * columns, rows * columns * model.factor ** 2];
      const result = new Float32Array(n * to);
      for (let i = 0; i < n; i++) {
        // the network sees mean and deviation of what it is given: one slice, or slices would depend on each other
        const slice = volume(images.data.subarray(i * from, (i + 1) * from), [rows, columns]);
        result.set((await superResolve(slice, model, { signal, device, threads })).data, i * to);
        onProgress?.({ phase: "enlarge", done: i + 1, total: n });
      }
      return volume(result, [n, rows * model.factor, columns * model.factor]);
    },
  };
}

/**
 * Rows and columns behind the last stage. Throws ERR_SINO_SHAPE where those of a stage do not fit it.
 */
export function sizeBehind(stages: readonly Stage[], size: readonly [number, number]): readonly [number, number] {
  let [rows, columns] = size;
  for (const { name, factor, grain } of stages) {
    requireMultiple([rows, columns], grain, name);
    [rows, columns] = [rows * factor, columns * factor];
  }
  return [rows, columns];
}

/** Throws ERR_SINO_SHAPE. */
export function requireMultiple(size: readonly number[], grain: number, name: string): void {
  if (size.every((n) => n % grain === 0 && n > 0)) return;
  throw sinoError(
    "ERR_SINO_SHAPE",
    `Expected rows and columns that are multiples of ${grain} for ${name} but received ${size.join(" × ")}.`,
    { details: { size, grain } },
  );
}
