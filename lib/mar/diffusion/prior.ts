/** What dual-domain metal artefact reduction knows of images without metal: a network that finds noise, and its scale. */
import { type ArrayLike, type Volume, volume } from "../../core/arrays.ts";
import { show, sinoError } from "../../core/errors.ts";
import type { Prediction } from "../../diffusion/prediction.ts";
import { noiseSchedule, type Schedule } from "../../diffusion/schedule.ts";
import { type ModelOptions, openModel } from "../../models/model.ts";
import type { Values } from "../../models/session.ts";
import { copyIn, copyOut, tilingOf } from "../../models/tiles.ts";
import { grainOf, type Trained } from "../../models/trained.ts";
import { networkModel } from "../../networks/index.ts";

export interface DiffusionPrior {
  readonly schedule: Schedule;
  readonly prediction: Prediction;
  /** The network's images are (HU − offset) · factor. */
  readonly scale: { readonly offset: number; readonly factor: number };
  /** Between which values they lie. */
  readonly range: readonly [low: number, high: number];
  /** Slices that it takes at a time; default 1. */
  readonly lanes?: number | undefined;
  /** What the network says of a noisy image [row, column] at a timestep. Both arrays may be used again afterwards. */
  says(sample: Volume, timestep: number): Promise<ArrayLike>;
}

export interface OpenPrior extends DiffusionPrior {
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PriorOptions extends Pick<ModelOptions, "provider" | "threads"> {
  /** Rows and columns of the images. */
  size: readonly [rows: number, columns: number];
  /** How many there are: several of them run side by side, each on its share of the threads; default 1. */
  slices?: number | undefined;
}

/** HU that a prior of CT must reach, to either side. */
const leastRange = [-900, 1000] as const;

/**
 * Opens what `loadTrained` read as a prior for images of one size, mirrored at the edges to a size that the network takes. Conditions that
 * it learned are left open. Throws ERR_SINO_UNSUPPORTED (not a diffusion network of one channel), ERR_SINO_MODEL (its card's range or size
 * does not fit; weights of another network), and what `openModel` throws.
 *
 * @example
 * await using prior = await openPrior(await loadTrained("models/ct-prior"), { size: [416, 416] });
 * const { images } = await diffusionMar(sinogram, geometry, prior, { seed: 7 });
 */
export async function openPrior(trained: Trained, options: PriorOptions): Promise<OpenPrior> {
  const { network, weights, diffusion, scale, calibration, range = [-1, 1] } = trained;
  if (!diffusion || network.kind !== "unet" || network.context || (network.dimensions ?? 2) !== 2)
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      'Expected a network of slices that was trained with the task "diffusion", without a context.',
    );
  if (network.inChannels !== 1 || network.outChannels !== 1)
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `Expected a network of one channel but it has ${network.inChannels} and ${network.outChannels}.`,
    );
  requireRange(trained, range);
  requireSize(trained, options.size);
  const shape = options.size;
  const { size, tiles } = tilingOf(shape, { tile: Math.max(...shape), margin: 0, grain: grainOf(network) });
  const tile = tiles[0]!;
  const { slices = 1, provider, threads } = options;
  const model = await openModel(networkModel(network, weights, { batch: 1, size }, { calibration }), {
    provider,
    threads,
    sessions: slices,
  });
  const open: Record<string, Values> = {
    ...(network.classes && { class: { data: BigInt64Array.of(BigInt(network.classes)), shape: [1] } }),
    ...(network.values && { values: { data: new Float32Array(network.values), shape: [1, network.values] } }),
  };
  return {
    schedule: noiseSchedule(diffusion),
    prediction: diffusion.prediction,
    scale,
    range,
    lanes: model.sessions,
    async says(sample, timestep) {
      const x = new Float32Array(size[0]! * size[1]!);
      copyIn(sample.data, shape, tile, size, x);
      const t = { data: Float32Array.of(timestep), shape: [1] };
      const { y } = await model.run({ ...open, x: { data: x, shape: [1, 1, ...size] }, t });
      const said = volume(new Float32Array(shape[0] * shape[1]), shape);
      copyOut(y!.data as Float32Array, tile, size, said.data, shape);
      return said;
    },
    dispose: model.dispose,
    [Symbol.asyncDispose]: model.dispose,
  };
}

function requireRange({ scale: { offset, factor } }: Trained, range: readonly [number, number]): void {
  const [low, high] = range.map((value) => Math.round(value / factor + offset)) as [number, number];
  if (low <= leastRange[0] && high >= leastRange[1]) return;
  throw sinoError(
    "ERR_SINO_MODEL",
    `Expected a prior of CT in HU, from ${leastRange[0]} or less to ${leastRange[1]} or more, but the card of this one says ${low} to ${high}.`,
    { details: { range: [low, high] } },
  );
}

/** Anatomy that is drawn half as large or four times as large as what it learned is another anatomy to a network. */
function requireSize({ size: trained }: Trained, size: readonly [number, number]): void {
  if (!Array.isArray(size) || size.length !== 2 || !size.every((n) => Number.isSafeInteger(n) && n >= 1))
    throw sinoError("ERR_SINO_SHAPE", `Expected size as [rows, columns] but received ${show(size)}.`);
  if (!trained || trained.every((n, axis) => 2 * size[axis]! >= n && size[axis]! <= 4 * n)) return;
  throw sinoError(
    "ERR_SINO_MODEL",
    `Expected images of half to four times ${trained.join(" × ")} pixels, on which the network was trained, but received ${size.join(" × ")}. Resample them, or train a network for them.`,
    { details: { size, trained } },
  );
}
