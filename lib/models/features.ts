/** What a trained U-Net sees in images: the means of its innermost activations, for distances between sets of images. */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { combine } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import type { JobOptions } from "../native/job.ts";
import { featureModel } from "../networks/index.ts";
import { type ModelOptions, openModel } from "./model.ts";
import type { Values } from "./session.ts";
import type { Trained } from "./trained.ts";

export interface FeatureOptions extends ModelOptions, JobOptions {
  /** Images per run; default 4. */
  readonly batch?: number | undefined;
}

/**
 * Features [n, feature] of images [n, row, column] in the units of the data, resampled to the size that the network was trained on; a
 * diffusion network sees them without noise. Throws ERR_SINO_UNSUPPORTED (not a U-Net of slices of one channel), ERR_SINO_SHAPE, and what
 * `openModel` throws; aborts with `signal.reason`.
 */
export async function networkFeatures(
  trained: Trained,
  images: ArrayLike,
  options: FeatureOptions = {},
): Promise<Volume> {
  const { network, weights, scale, size: trainedSize } = trained;
  const { batch = 4, signal, onProgress } = options;
  if (network.kind !== "unet" || network.dimensions === 3 || network.context || network.inChannels !== 1)
    throw sinoError("ERR_SINO_UNSUPPORTED", "Expected a U-Net of slices of one channel to take features from.");
  if (images.shape.length !== 3)
    throw sinoError("ERR_SINO_SHAPE", `Expected slices [n, row, column] but received [${images.shape.join(", ")}].`);
  const [n, rows, columns] = images.shape as [number, number, number];
  const size = trainedSize ?? [rows, columns];
  const isLarger = size[0]! < rows && size[1]! < columns;
  const fitting = await resample(images, { signal, shape: [size[0]!, size[1]!], method: isLarger ? "area" : "linear" });
  const { data } = await combine([[scale.factor, fitting]], { signal, offset: -scale.offset * scale.factor });
  const lanes = Math.min(batch, n);
  const pixels = sizeOf(size);
  const model = await openModel(featureModel(network, weights, { batch: lanes, size }), options);
  let result: Float32Array<ArrayBuffer> | undefined;
  try {
    for (let first = 0; first < n; first += lanes) {
      signal?.throwIfAborted();
      const x = new Float32Array(lanes * pixels);
      x.set(data.subarray(first * pixels, (first + lanes) * pixels));
      const feeds: Record<string, Values> = { x: { data: x, shape: [lanes, 1, ...size] } };
      if (network.time) feeds["t"] = { data: new Float32Array(lanes), shape: [lanes] };
      if (network.classes)
        feeds["class"] = { data: new BigInt64Array(lanes).fill(BigInt(network.classes)), shape: [lanes] };
      if (network.values)
        feeds["values"] = { data: new Float32Array(lanes * network.values), shape: [lanes, network.values] };
      const { features } = await model.run(feeds);
      const each = features!.data.length / lanes;
      result ??= new Float32Array(n * each);
      const count = Math.min(lanes, n - first);
      result.set((features!.data as Float32Array).subarray(0, count * each), first * each);
      onProgress?.({ phase: "features", done: first + count, total: n });
    }
  } finally {
    await model.dispose();
  }
  return volume(result ?? new Float32Array(0), [n, result ? result.length / n : 0]);
}
