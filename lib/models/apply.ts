/** Applying what `sinogram train` made to images of any size. */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { floats } from "../image/input.ts";
import type { JobOptions } from "../native/job.ts";
import { type Conditions, conditionsOf } from "./conditions.ts";
import { type DrawOptions, drawn, requireDrawing } from "./drawn.ts";
import { openTiled, outsOf, type TileOptions } from "./tiled.ts";
import { mirrored } from "./tiles.ts";
import { isConditional, type Trained } from "./trained.ts";

export interface ApplyOptions extends TileOptions, DrawOptions, JobOptions, Conditions {
  /** The network's channels are a slice and those around it, mirrored at the ends; default false. */
  readonly neighbours?: boolean | undefined;
}

/** What a network takes and gives: axes and channels of images. Throws ERR_SINO_UNSUPPORTED for what is not images of one size. */
function channelsOf(trained: Trained): { axes: number; ins: number; outs: number } {
  const { network } = trained;
  const isPlain = network.kind !== "unet" || !((network.time && !isConditional(trained)) || network.context);
  if (!isPlain || /srresnet|discriminator|patchgan/.test(network.kind))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      "Expected a network that makes images of images of the same size; run it by openModel.",
    );
  const axes = network.kind === "unet" ? (network.dimensions ?? 2) : 2;
  const outs = outsOf(trained);
  return { axes, ins: network.inChannels - (isConditional(trained) ? outs : 0), outs };
}

/**
 * Applies a trained network to images of any size in the units it was trained on, in tiles. Images are [n, row, column] or one
 * [row, column]; of a network of several channels [n, C, row, column], or with `neighbours` [n, row, column], each slice with those around
 * it; of a network of volumes [n, slice, row, column] or one volume, with C before the slices. The result has the same axes, with channels
 * where the network gives several; of a network of the task segmentation they are probabilities. A network with classes or values is told those of each image by `classes` and `values`.
 * One of the task diffusion that was trained on targets draws them out of noise, given the images: `steps`, `seed` and `draws` are for it.
 * Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (a class or value that it cannot have; steps), ERR_SINO_UNSUPPORTED (networks with other
 * inputs, or whose output is of another size; steps of a network that draws nothing), and what `openModel` throws; aborts with `signal.reason`.
 *
 * @example
 * const clean = await applyTrained(await loadTrained("run"), noisy, { sessions: 2 });
 */
export async function applyTrained(trained: Trained, images: ArrayLike, options: ApplyOptions = {}): Promise<Volume> {
  const { neighbours = false, signal, onProgress } = options;
  const { axes, ins, outs } = channelsOf(trained);
  requireDrawing(trained, options);
  const given = images.shape;
  const own = ins > 1 && !neighbours ? 1 : 0;
  if (given.length < axes + own || given.length > axes + own + 1 || (own && given.at(-axes - 1) !== ins))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected [n, ${own ? `${ins}, ` : ""}${axes === 3 ? "slice, " : ""}row, column] or one of them but received [${given.join(", ")}].${own ? " Slices of a volume can be given with neighbours: true." : ""}`,
    );
  if (neighbours && (axes !== 2 || ins % 2 === 0))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a network of slices and an odd number of channels for neighbours but it has ${axes} axes and ${ins} channels.`,
    );
  const shape = given.slice(-axes);
  const size = sizeOf(shape);
  const data = await floats(images, "images", options);
  const count = data.length / size / (own ? ins : 1);
  const feeds = conditionsOf(trained.network, options, count);
  // channel c of image n
  const plane = (n: number, c: number) => {
    const i = neighbours ? mirrored(n + c - (ins >> 1), count) : n * ins + c;
    return data.subarray(i * size, (i + 1) * size);
  };
  const result = [...given.slice(0, given.length - axes - own), ...(outs > 1 ? [outs] : []), ...shape];
  if (isConditional(trained))
    return volume(await drawn(trained, { count, shape, ins, outs, plane, feeds }, options), result);
  const tiled = await openTiled(trained, { shape, count, scale: trained.scale }, options);
  try {
    const onTiles = (done: number, total: number) => onProgress?.({ phase: "apply", done, total });
    return volume(await tiled.run({ plane, feeds, signal, onTiles }), result);
  } finally {
    await tiled.dispose();
  }
}
