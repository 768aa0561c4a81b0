/** Arrays of any type and stride as the addon takes them. */
import { type ArrayLike, isContiguous, rowMajorStride, sizeOf } from "../core/arrays.ts";
import { allocate, type JobOptions, runJob } from "./job.ts";

/** Any array as contiguous float32: the same memory where it already is, else a copy made by the addon. */
export async function packed(array: ArrayLike, options: JobOptions = {}): Promise<Float32Array> {
  const size = sizeOf(array.shape);
  const offset = array.offset ?? 0;
  if (array.data instanceof Float32Array && isContiguous(array)) return array.data.subarray(offset, offset + size);
  const out = allocate(size);
  await runJob(
    "pack",
    {
      input: array.data,
      shape: Float64Array.from(array.shape),
      stride: Float64Array.from(array.stride ?? rowMajorStride(array.shape)),
      offset,
      output: out,
    },
    { signal: options.signal },
  );
  return out;
}
