/** Whether slices that lie beside each other still belong together. */
import { type ArrayLike, checkArray, type Volume } from "../core/arrays.ts";
import { flags, run } from "../image/input.ts";
import { combine } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";

/** Median sizes of differences of neighbours, in the image's unit: edges hardly count, and where nothing changes, as in padding, nothing does. */
export interface Roughness {
  /** From slice to slice. */
  between: number;
  /** From column to column. */
  within: number;
  /** between/within: what is taken off noise within slices alone raises it, and slices seen one after the other flicker. */
  ratio: number;
}

/**
 * How rough a volume [slice, row, column] is across its slices and along them; of its 16 middle slices. NaN where there are no neighbours
 * that differ. Throws ERR_SINO_SHAPE.
 */
export async function sliceRoughness(image: Volume, options: OperationOptions = {}): Promise<Roughness> {
  checkArray(image, "image", [3]);
  const { device, signal } = options;
  const [slices, rows, columns] = image.shape as [number, number, number];
  const count = Math.min(slices, 16);
  const stride = [rows * columns, columns, 1];
  const part = (first: number, shape: readonly number[]): ArrayLike => {
    const offset = image.offset + ((slices - count) >> 1) * rows * columns + first;
    return { data: image.data, shape, stride, offset };
  };
  const apart = async (step: number, shape: readonly number[]) => {
    if (shape.some((n) => n < 1)) return Number.NaN;
    const change = await combine(
      [
        [1, part(step, shape)],
        [-1, part(0, shape)],
      ],
      { device, signal },
    );
    const where = await flags(change, "change", { signal });
    const result = new Float64Array(3);
    const ranks = { ranks: Float64Array.of(0.5), magnitudes: true, result };
    await run(
      "quantiles",
      { count: change.data.length, input: change.data, where, ...ranks },
      { device: "cpu", signal },
    );
    return result[0]!;
  };
  const between = await apart(rows * columns, [count - 1, rows, columns]);
  const within = await apart(1, [count, rows, columns - 1]);
  return { between, within, ratio: between / within };
}
