/**
 * Images drawn out of noise given others, which the network sees behind the noisy image in every step (C. Saharia et al., "Image
 * super-resolution via iterative refinement", TPAMI 2023). Noise is taken from what is to be added to the given image, where the network
 * learned that (H. Li et al., "SRDiff", Neurocomputing 479, 2022), else from the image itself. It belongs to pixels of the image, not of a tile.
 */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { requireCount } from "../diffusion/check.ts";
import { dpmSolver } from "../diffusion/samplers/dpm-solver.ts";
import { noiseSchedule } from "../diffusion/schedule.ts";
import { sample } from "../diffusion/step.ts";
import { levelsOf, startingTimesteps } from "../diffusion/timesteps.ts";
import { combine } from "../image/pixels.ts";
import type { JobOptions } from "../native/job.ts";
import { openTiled, type Shown, type TileOptions } from "./tiled.ts";
import { isConditional, type Trained } from "./trained.ts";

export interface DrawOptions {
  /** Of a network that draws: its runs per drawing; default 10. */
  readonly steps?: number | undefined;
  /** Of its noise, whole number; default 0. Image i has noise of its own. */
  readonly seed?: number | undefined;
  /** The mean of so many drawings, of seed, seed + 1, …; default 1. */
  readonly draws?: number | undefined;
}

/** Throws ERR_SINO_UNSUPPORTED where a network that answers at once is told how to draw. */
export function requireDrawing(trained: Trained, options: DrawOptions): void {
  const told = (["steps", "seed", "draws"] as const).find((name) => options[name] !== undefined);
  if (told && !isConditional(trained))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `${told} is for networks of the task diffusion that were trained on targets; this one answers in one run. Leave it out.`,
    );
}

interface Given extends Pick<Shown, "plane" | "feeds"> {
  readonly count: number;
  readonly shape: readonly number[];
  /** Channels of the given images and of those drawn. */
  readonly ins: number;
  readonly outs: number;
}

/** Draws images, all channels of one after the other, in the units of the data. Throws ERR_SINO_OUT_OF_RANGE; aborts with `signal.reason`. */
export async function drawn(
  trained: Trained,
  { count, shape, ins, outs, plane, feeds }: Given,
  { steps = 10, seed = 0, draws = 1, signal, onProgress, ...options }: DrawOptions & TileOptions & JobOptions,
): Promise<Float32Array<ArrayBuffer>> {
  const { range } = trained;
  const { offset, factor } = trained.scale;
  const { prediction, residual, ...noise } = trained.diffusion!;
  requireCount(draws, "draws", 1, 1000);
  const schedule = noiseSchedule(noise);
  const levels = levelsOf(schedule, startingTimesteps(schedule, steps, 1));
  const plan = dpmSolver(levels, { prediction, clip: residual === undefined ? range : undefined });
  const size = sizeOf(shape);
  const result = new Float32Array(count * outs * size);
  const tiled = await openTiled(trained, { shape, count: 1 }, options);
  try {
    for (let n = 0; n < count; n++) {
      const given = volume(new Float32Array(ins * size), [ins, ...shape]);
      for (let c = 0; c < ins; c++) given.data.set(plane(n, c), c * size);
      const seen = await combine([[factor, given]], { signal, offset: -offset * factor });
      const says = async (noisy: Volume, t: number): Promise<ArrayLike> => {
        const channel = (c: number) => (c < outs ? part(noisy.data, c, size) : part(seen.data, c - outs, size));
        const times = (tiles: number) => ({ data: new Float32Array(tiles).fill(t), shape: [tiles] });
        const data = await tiled.run({
          plane: (_, c) => channel(c),
          feeds: (tiles) => ({ ...feeds(tiles.map(() => n)), t: times(tiles.length) }),
          signal,
        });
        return { data, shape: noisy.shape };
      };
      const terms: [number, ArrayLike][] = residual === undefined ? [] : [[1, given]];
      for (let draw = 0; draw < draws; draw++) {
        const before = (n * draws + draw) * steps;
        const image = await sample(plan, says, {
          ...{ shape: [outs, ...shape], seed: seed + draw, stream: n, signal },
          onProgress: ({ done }) => onProgress?.({ phase: "draw", done: before + done, total: count * draws * steps }),
        });
        terms.push([1 / (draws * factor * (residual ?? 1)), image]);
      }
      const { data } = await combine(terms, { signal, offset: residual === undefined ? offset : 0 });
      result.set(data, n * outs * size);
    }
    return result;
  } finally {
    await tiled.dispose();
  }
}

const part = (from: Float32Array, i: number, length: number) => from.subarray(i * length, (i + 1) * length);
