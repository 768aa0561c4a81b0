/**
 * How strong the noise of a shell is. What directions show of tissue has fewer patterns than there are volumes: in the combination of
 * volumes that varies least, there is noise alone.
 */
import { sizeOf, type Volume } from "../core/arrays.ts";
import { gaussian } from "../image/gaussian.ts";
import { newImage } from "../image/input.ts";
import { combine, quantile, statistics, threshold } from "../image/pixels.ts";
import { type OperationOptions, runJob } from "../native/job.ts";
import type { Shell } from "./gradients.ts";
import { shellVolumes, volumeData } from "./slices.ts";

/** Of the correction below, for scans of hardly more voxels than volumes. */
const leastFactor = 0.5;

/** Gaussian, in pixels, of what of a quiet combination counts as anatomy, or as a bias. */
const anatomy = 3;

/**
 * Standard deviation of the noise in a shell: the square root of the least eigenvalue of its volumes' covariance over bright voxels (at least
 * half as bright in the mean as the lowest of the brightest hundredth, where magnitudes are nearly normal), over 1 − √(volumes/voxels), by
 * which the least eigenvalue of pure noise falls short (Marchenko and Pastur; J. Veraart et al., NeuroImage 142, 2016, use them all). Too
 * high for shells of so few directions that tissue differs in all of them.
 */
export async function noiseOf(dwi: Volume, shell: Shell, options: OperationOptions): Promise<number> {
  const chosen = shellVolumes(dwi, shell);
  const { covariance, count } = await brightCovariance(chosen, options);
  const volumes = shell.volumes.length;
  const short = Math.max(leastFactor, 1 - Math.sqrt(volumes / count));
  return Math.sqrt(Math.max(0, leastEigenvalue(covariance, volumes))) / short;
}

/**
 * What is nearly noise alone, wherever one looks: the quarter of all combinations of a shell's volumes (Σ weight² = 1) that vary least over
 * bright voxels, [combination, slice, row, column], without what is smooth in them.
 */
export async function quietCombinations(dwi: Volume, shell: Shell, options: OperationOptions): Promise<Volume> {
  const chosen = shellVolumes(dwi, shell);
  const [n, slices, rows, columns] = chosen.shape as [number, number, number, number];
  const { covariance } = await brightCovariance(chosen, options);
  const { values, vectors } = eigen(covariance, n);
  const quiet = values
    .map((_, k) => k)
    .sort((a, b) => values[a]! - values[b]!)
    .slice(0, Math.max(1, n >> 2));
  const result = newImage([quiet.length, slices, rows, columns]);
  for (const [at, k] of quiet.entries()) {
    const image = (data: Float32Array) => ({ data, shape: [slices, rows, columns] });
    const parts = vectors.map((vector, i) => [vector[k]!, image(volumeData(chosen, i))] as const);
    const all = await combine(parts, options);
    const smooth = await gaussian(all, { ...options, sigma: anatomy });
    volumeData(result, at).set(
      (
        await combine(
          [
            [1, all],
            [-1, smooth],
          ],
          options,
        )
      ).data,
    );
  }
  return result;
}

/** Of volumes over their bright voxels, and how many those are. */
async function brightCovariance(
  chosen: Volume,
  options: OperationOptions,
): Promise<{ covariance: Float64Array; count: number }> {
  const volumes = chosen.shape[0]!;
  const voxels = sizeOf(chosen.shape.slice(1));
  const terms = Array.from({ length: volumes }, (_, i) => {
    const image = { data: volumeData(chosen, i), shape: [voxels] };
    return [1 / volumes, image] as const;
  });
  const { data: mean } = await combine(terms, options);
  const bright = (await quantile(mean, 0.99, options)) / 2;
  const { data: where } = await threshold({ data: mean, shape: [voxels] }, bright, options);
  const covariance = new Float64Array(volumes * volumes);
  const results = { means: new Float64Array(volumes), covariance };
  const job = { device: "cpu", volumes, voxels, input: chosen.data, where, ...results };
  await runJob("covariance", job, { signal: options.signal });
  const { sum: count } = await statistics({ data: where, shape: [voxels] }, options);
  return { covariance, count };
}

/** The least eigenvalue of a symmetric matrix [n, n]. */
export const leastEigenvalue = (matrix: Float64Array, n: number): number => Math.min(...eigen(matrix, n).values);

/** Of a symmetric matrix [n, n], by Jacobi's rotations; vectors[i][k] is element i of the vector of value k. */
function eigen(matrix: Float64Array, n: number): { values: number[]; vectors: Float64Array[] } {
  const a = matrix.slice();
  const vectors = Array.from({ length: n }, (_, i) => new Float64Array(n).fill(1, i, i + 1));
  const at = (i: number, j: number) => a[i * n + j]!;
  const turn = (i: number, j: number) => {
    const theta = (at(j, j) - at(i, i)) / (2 * at(i, j));
    const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
    const c = 1 / Math.hypot(t, 1);
    for (let k = 0; k < n; k++) {
      const [x, y] = [at(i, k), at(j, k)];
      a[i * n + k] = c * x - c * t * y;
      a[j * n + k] = c * t * x + c * y;
    }
    for (let k = 0; k < n; k++) {
      const [x, y] = [at(k, i), at(k, j)];
      a[k * n + i] = c * x - c * t * y;
      a[k * n + j] = c * t * x + c * y;
    }
    for (const row of vectors) {
      const [x, y] = [row[i]!, row[j]!];
      row[i] = c * x - c * t * y;
      row[j] = c * t * x + c * y;
    }
  };
  const diagonal = Array.from({ length: n }, (_, i) => i);
  const tiny = 1e-12 * diagonal.reduce((sum, i) => sum + Math.abs(at(i, i)), 0);
  for (let sweep = 0; sweep < 60; sweep++) {
    let turns = 0;
    for (let i = 0; i < n; i++)
      for (let j = i + 1; j < n; j++)
        if (Math.abs(at(i, j)) > tiny) {
          turn(i, j);
          turns++;
        }
    if (turns === 0) break;
  }
  return { values: diagonal.map((i) => at(i, i)), vectors };
}
