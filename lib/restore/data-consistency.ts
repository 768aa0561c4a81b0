/**
 * Complex MR slices of which only some lines of k-space were measured: a denoiser fills in the others, and what was measured is put back, in
 * turns (J. Schlemper et al., "A deep cascade of convolutional neural networks for dynamic MR image reconstruction", IEEE TMI 37, 2018; with
 * any denoiser: S. V. Venkatakrishnan et al., "Plug-and-play priors for model based reconstruction", GlobalSIP 2013).
 */
import { type ArrayLike, checkArray, transposed, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { add, concat, Graph, matmul, split, sqrt, square, sub, type Tensor, writeOnnx } from "../graph/index.ts";
import { totalVariation } from "../image/denoise.ts";
import { floats, planesOf, requireNumber, requireOneOf, requireSameShape } from "../image/input.ts";
import { combine, requireFinite, statistics } from "../image/pixels.ts";
import { openModel, type Values } from "../models/index.ts";
import type { JobOptions, OperationOptions } from "../native/job.ts";

/** Real parts of all slices and behind them the imaginary ones, [2 · slices, row, column], as they are, to as they should be; `turn` from 0. */
export type Denoiser = (parts: Volume, turn: number) => ArrayLike | Promise<ArrayLike>;

export interface DataConsistencyOptions extends OperationOptions, JobOptions {
  /** Default total variation, from 10 % of the largest value down to 0.5 %. */
  denoiser?: Denoiser | undefined;
  /** How often; default 60. */
  turns?: number | undefined;
  /** Along which axis of the slice the phase was encoded: down the columns (default; DICOM's "COL") or along the rows ("ROW"). */
  phase?: "column" | "row" | undefined;
  threads?: number | undefined;
}

export interface Consistent {
  /** Magnitudes. */
  images: Volume;
  /** Their parts; every measured line of their k-space is as it was measured. */
  real: Volume;
  imaginary: Volume;
}

/**
 * Reconstructs complex MR slices, [row, column] or [slice, row, column] as real and imaginary part, from the lines of k-space that `lines` says
 * were measured: one number per line, not 0 where it was, the middle line at ⌊rows/2⌋ (`undersample` gives such). Other lines of what is given
 * count for nothing; usually they are zero. The denoiser is given real and imaginary parts, then measured lines become what they were.
 * Needs onnxruntime-node. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN, no line measured), what the denoiser and `openModel` throw;
 * aborts with `signal.reason`.
 *
 * @example
 * const { images } = await dataConsistency(real, imaginary, lines);
 * const denoiser = (x: Volume) => denoiseByNetwork(x, model);
 * const byNetwork = await dataConsistency(real, imaginary, lines, { denoiser, turns: 10 });
 */
export async function dataConsistency(
  real: ArrayLike,
  imaginary: ArrayLike,
  lines: globalThis.ArrayLike<number>,
  options: DataConsistencyOptions = {},
): Promise<Consistent> {
  const { turns = 60, phase = "column", device, signal, onProgress, threads } = options;
  requireOneOf(phase, "phase", ["column", "row"]);
  requireNumber(turns, "turns", "a whole number from 1 up", (n) => Number.isSafeInteger(n) && n >= 1);
  checkArray(real, "real", [2, 3]);
  checkArray(imaginary, "imaginary", [2, 3]);
  requireSameShape(imaginary, "imaginary", real, "real");
  const job = { device, signal };
  for (const [part, name] of [
    [real, "real"],
    [imaginary, "imaginary"],
  ] as const)
    await requireFinite(part, name, { signal });
  const upright = (part: ArrayLike) => (phase === "column" ? part : transposed(part));
  const given = upright(real).shape;
  const { slices, rows, columns } = planesOf(given);
  const measured = Array.from(lines, (l) => l !== 0);
  if (measured.length !== rows || !measured.includes(true))
    throw sinoError(
      measured.length === rows ? "ERR_SINO_OUT_OF_RANGE" : "ERR_SINO_SHAPE",
      `Expected ${rows} numbers for lines, one for each line of k-space and not 0 where it was measured, but received ${measured.length}, of which ${measured.filter(Boolean).length} are not 0.`,
      { details: { rows, lines: measured.length } },
    );
  const [shape, size] = [[2 * slices, rows, columns], slices * rows * columns];
  const parts = volume(new Float32Array(2 * size), shape);
  parts.data.set(await floats(upright(real), "real", job));
  parts.data.set(await floats(upright(imaginary), "imaginary", job), size);
  const zeros = volume(new Float32Array(2 * size), shape);
  await using model = await openModel(consistencyModel(measured, shape), { provider: "cpu", threads });
  const consistent = async (made: ArrayLike) => {
    const feeds = {
      given: { data: parts.data, shape },
      made: { data: await floats(made, "the denoiser's images", job), shape },
    };
    const { joined, magnitude } = await model.run(feeds);
    return { joined: volume(joined!.data as Float32Array<ArrayBuffer>, shape), magnitude: magnitude!.data };
  };
  let now = await consistent(zeros);
  const { minimum, maximum } = await statistics(now.joined, job);
  const denoiser = options.denoiser ?? fading(Math.max(maximum, -minimum), turns, job);
  for (let turn = 0; turn < turns; turn++) {
    signal?.throwIfAborted();
    const made = await denoiser(now.joined, turn);
    requireSameShape(made, "the denoiser's images", now.joined, "those it was given");
    now = await consistent(made);
    onProgress?.({ phase: "consistency", done: turn + 1, total: turns });
  }
  const back = async (data: Values["data"]) => {
    const found = volume(data as Float32Array<ArrayBuffer>, given);
    return phase === "column" ? found : combine([[1, transposed(found)]], job);
  };
  const { data } = now.joined;
  return {
    images: await back(now.magnitude),
    real: await back(data.slice(0, size)),
    imaginary: await back(data.slice(size)),
  };
}

/** Total variation that takes away ever less. */
function fading(largest: number, turns: number, job: OperationOptions): Denoiser {
  return (parts, turn) => totalVariation(parts, { ...job, sigma: 0.1 * largest * 20 ** (-turn / turns) });
}

/**
 * What a denoiser made, with the measured lines of what was given: parts [2 · slices, row, column], and magnitudes. The lines' share of an
 * image is one product along its columns: C = Fᴴ·M·F, F the transform and M 1 for measured lines.
 */
function consistencyModel(measured: readonly boolean[], shape: readonly number[]): Uint8Array {
  const rows = measured.length;
  const graph = new Graph("data consistency");
  const halves = (t: Tensor) => split(t, [shape[0]! / 2, shape[0]! / 2], 0) as [Tensor, Tensor];
  const made = graph.input("made", shape);
  const [x, y] = halves(made);
  const [a, b] = halves(sub(graph.input("given", shape), made));
  const product = (of: (angle: number) => number) => {
    const row = Float64Array.from({ length: rows }, (_, d) => {
      const turn = (2 * Math.PI * d) / rows;
      return measured.reduce((sum, m, k) => (m ? sum + of(turn * (k - (rows >> 1))) / rows : sum), 0);
    });
    const all = Float32Array.from(
      { length: rows * rows },
      (_, i) => row[(Math.floor(i / rows) - (i % rows) + rows) % rows]!,
    );
    return graph.constant(all, [rows, rows]);
  };
  const [re, im] = [product(Math.cos), product(Math.sin)];
  const real = add(x, sub(matmul(re, a), matmul(im, b)));
  const imaginary = add(y, add(matmul(re, b), matmul(im, a)));
  graph.output("joined", concat([real, imaginary], 0));
  graph.output("magnitude", sqrt(add(square(real), square(imaginary))));
  return writeOnnx(graph);
}
