/** How strong the noise of a scan is, from what a denoiser took away. */
import { sizeOf, type Volume } from "../core/arrays.ts";
import { combine, threshold } from "../image/pixels.ts";
import { type OperationOptions, runJob } from "../native/job.ts";
import type { Shell } from "./gradients.ts";
import { volumeData } from "./slices.ts";

/** For normal numbers, the deviation over the median of magnitudes. */
const normalMedian = 1.4826;

async function rankOf(
  input: Float32Array,
  rank: number,
  where: Uint8Array | undefined,
  magnitudes: boolean,
  options: OperationOptions,
): Promise<number> {
  const result = new Float64Array(3);
  const parameters = { count: input.length, input, ranks: Float64Array.of(rank), magnitudes, result };
  await runJob("quantiles", { device: "cpu", ...parameters, ...(where && { where }) }, { signal: options.signal });
  return result[0]!;
}

/**
 * Standard deviation of the noise in a shell: median over its volumes of 1.4826 · median |noisy − clean|, over voxels at least half as
 * bright as the brightest hundredth's lowest, where magnitudes are nearly normal. Denoised values count as exact.
 */
export async function noiseBetween(
  noisy: Volume,
  clean: Volume,
  shell: Shell,
  options: OperationOptions,
): Promise<number> {
  const shape = [sizeOf(noisy.shape.slice(1))];
  const found: number[] = [];
  for (const index of shell.volumes) {
    const [a, b] = [volumeData(noisy, index), volumeData(clean, index)];
    const bright = (await rankOf(b, 0.99, undefined, false, options)) / 2;
    const { data: where } = await threshold({ data: b, shape }, bright, options);
    const { data: rest } = await combine(
      [
        [1, { data: a, shape }],
        [-1, { data: b, shape }],
      ],
      options,
    );
    found.push(normalMedian * (await rankOf(rest, 0.5, where, true, options)));
  }
  return found.sort((a, b) => a - b)[found.length >> 1]!;
}
