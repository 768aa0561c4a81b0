/**
 * Rigid motion out of MR magnitude slices: a trained network, and then what the measurement says. Lines of k-space that the network hardly
 * changes were hardly moved, and keep what was measured; and no line should gain much energy, since a rigid motion of the object turns phases
 * (translation) or moves energy to near lines (rotation), of which magnitudes lose a part. (M. W. Haskell et al., "Network Accelerated Motion Estimation and
 * Reduction", MRM 82, 2019, joins network and measurement for coil data; magnitudes have no phase to fit.)
 */
import { type ArrayLike, checkArray, transposed, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import {
  add,
  clip as clipTensor,
  div,
  Graph,
  matmul,
  max,
  mul,
  reduceSum,
  sqrt,
  square,
  sub,
  type Tensor,
  transpose,
  writeOnnx,
} from "../graph/index.ts";
import { requireOneOf } from "../image/input.ts";
import { combine, requireFinite, statistics } from "../image/pixels.ts";
import { applyTrained, openModel, type RestorationModel } from "../models/index.ts";
import type { JobOptions, OperationOptions } from "../native/job.ts";
import { deviationOf } from "./super-resolve.ts";

export interface CorrectMotionOptions extends OperationOptions, JobOptions {
  /** Along which axis of the slice the phase was encoded: down the columns (default; DICOM's "COL") or along the rows ("ROW"). */
  phase?: "column" | "row" | undefined;
  threads?: number | undefined;
}

export interface MotionCorrected {
  images: Volume;
  /** Of every slice: the share of its lines of k-space that keep what was measured, 0 … 1. */
  kept: Float64Array;
  /** Of every slice: energy that lines have beyond what was measured in them, as a share of all that was measured (mean left out). */
  added: Float64Array;
}

/** Lines that the network changes by less than the first share of their amplitude are kept, beyond the second they are the network's. */
const keptBelow = [0.1, 0.3] as const;

/**
 * MR magnitude slices [row, column] or [slice, row, column] without the ghosts and blur of a head that moved while its k-space was measured
 * line by line; brightness as it was. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN, values below zero: no magnitudes, slices of less than
 * 16 pixels), ERR_SINO_MODEL (a model that enlarges) and what `applyTrained` throws.
 *
 * @example
 * const { images, added } = await correctMotion(slices, await restorationModel("run"));
 */
export async function correctMotion(
  images: ArrayLike,
  model: RestorationModel,
  options: CorrectMotionOptions = {},
): Promise<MotionCorrected> {
  const { phase = "column", device, signal, onProgress, threads } = options;
  requireOneOf(phase, "phase", ["column", "row"]);
  checkArray(images, "images", [2, 3]);
  if (model.factor !== 1)
    throw sinoError("ERR_SINO_MODEL", `${model.name} makes images ${model.factor} times as large: use super-resolve.`);
  const job = { device, signal };
  await checkMagnitudes(images, job);
  const upright = phase === "column" ? images : transposed(images);
  const [rows, columns] = upright.shape.slice(-2) as [number, number];
  const plane = rows * columns;
  const all = await combine([[1, upright]], job);
  const count = all.data.length / plane;
  const slice = (data: Float32Array, s: number): ArrayLike => ({ data, shape: [rows, columns], offset: s * plane });
  const scales = await Promise.all(
    Array.from({ length: count }, async (_, s) => {
      const { mean } = await statistics(slice(all.data, s), job);
      return { mean, deviation: await deviationOf(slice(all.data, s), mean, job) };
    }),
  );
  const seen = new Float32Array(count * plane);
  for (const [s, { mean, deviation }] of scales.entries())
    seen.set(
      (await combine([[1 / deviation, slice(all.data, s)]], { ...job, offset: -mean / deviation })).data,
      s * plane,
    );
  const found = await applyTrained(model.trained, volume(seen, [count, rows, columns]), {
    signal,
    onProgress,
    threads,
    tile: 1024,
    margin: 128,
  });
  const result = new Float32Array(count * plane);
  const [kept, added] = [new Float64Array(count), new Float64Array(count)];
  await using consistency = await openModel(consistencyModel(rows, columns), { threads });
  for (const [s, { mean, deviation }] of scales.entries()) {
    signal?.throwIfAborted();
    const shape = [rows, columns];
    const y = await consistency.run({
      measured: { data: seen.slice(s * plane, (s + 1) * plane), shape },
      network: { data: found.data.slice(s * plane, (s + 1) * plane), shape },
    });
    kept[s] = y.kept!.data[0] as number;
    added[s] = y.added!.data[0] as number;
    const joined = volume(y.joined!.data as Float32Array<ArrayBuffer>, [rows, columns]);
    result.set((await combine([[deviation, joined]], { ...job, offset: mean, low: 0 })).data, s * plane);
  }
  const corrected = volume(result, upright.shape);
  return { images: phase === "column" ? corrected : await combine([[1, transposed(corrected)]], job), kept, added };
}

async function checkMagnitudes(images: ArrayLike, job: OperationOptions): Promise<void> {
  await requireFinite(images, "images", job);
  const [rows, columns] = images.shape.slice(-2) as [number, number];
  if (Math.min(rows, columns) < 16)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected slices of at least 16 × 16 pixels but received ${rows} × ${columns}: motion cannot be seen in fewer lines.`,
      { details: { shape: images.shape } },
    );
  const { minimum, maximum } = await statistics(images, job);
  if (minimum < -0.02 * Math.max(maximum, 0) || maximum < 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected magnitudes, from 0 up, but found values down to ${minimum.toPrecision(4)}: HU, phases, or one part of complex values. Take the absolute value of complex images first.`,
      { details: { minimum, maximum } },
    );
}

/**
 * Joins a measured slice and the network's, line by line of the transform along columns: the network's lines, but where it changed them little,
 * those measured. Outputs `joined` [row, column], `kept` and `added` as in MotionCorrected.
 */
function consistencyModel(rows: number, columns: number): Uint8Array {
  const graph = new Graph("motion consistency");
  const measured = graph.input("measured", [rows, columns]);
  const network = graph.input("network", [rows, columns]);
  const wave = (of: (turns: number) => number) =>
    graph.constant(
      Float32Array.from({ length: rows * rows }, (_, i) => {
        const turn = (Math.floor(i / rows) * (i % rows)) % rows;
        return of((2 * Math.PI * turn) / rows);
      }),
      [rows, rows],
    );
  const waves = [wave(Math.cos), wave(Math.sin)];
  const lines = (image: Tensor) => waves.map((w) => matmul(w, image));
  const energy = ([re, im]: Tensor[]) => reduceSum(add(square(re!), square(im!)), [1], { keep: true });
  const change = lines(sub(network, measured));
  const own = energy(lines(measured));
  const total = reduceSum(own);
  const ratio = sqrt(div(energy(change), add(own, mul(total, 1e-9))));
  const [low, high] = keptBelow;
  const share = clipTensor(div(sub(high, ratio), high - low), 0, 1);
  const rest = change.map((part) => mul(part, sub(1, share)));
  const [back0, back1] = waves.map((w, i) => matmul(transpose(w, [1, 0]), rest[i]!));
  const joined = add(measured, div(add(back0!, back1!), rows));
  graph.output("joined", joined);
  graph.output("kept", div(reduceSum(share), rows));
  graph.output("added", div(reduceSum(max(sub(energy(lines(joined)), own), 0)), total));
  return writeOnnx(graph);
}
