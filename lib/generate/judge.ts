/**
 * What generated slices are worth beside those that were learned from: are they copies, do they differ among themselves,
 * is there as much of each tissue. Slices are compared at 64 × 64, in all eight ways that training turns and mirrors them.
 */
import { type ArrayLike, type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { Graph, matmul, mul, reduceSum, transpose, writeOnnx } from "../graph/index.ts";
import { combine, statistics, threshold } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import { frechetDistance } from "../metrics/frechet.ts";
import { msSsim } from "../metrics/ms-ssim.ts";
import { networkFeatures } from "../models/features.ts";
import { openSession } from "../models/session.ts";
import type { Trained } from "../models/trained.ts";
import type { OperationOptions } from "../native/job.ts";

export interface Judgement {
  /** For each generated slice the learned one next to it, and their RMSE in HU. */
  readonly nearest: readonly { readonly learned: number; readonly rmseHu: number }[];
  /** Median of how near learned slices lie to their nearest other one: what comes nearer than that is a copy. */
  readonly neighboursHu: number;
  /** Mean RMSE in HU of all pairs of slices. */
  readonly diversityHu: { readonly generated: number; readonly learned: number };
  /** Mean MS-SSIM of neighbours in the list, −1000 to 1000 HU: 1 where all slices are one. Of slices of 176 × 176 pixels or more. */
  readonly msSsim?: { readonly generated: number; readonly learned: number };
  /** Fréchet distance on features of the network that was given; and that of the two halves of the learned slices, as a yardstick. */
  readonly frechet?: { readonly generated: number; readonly halves: number };
  /** Share of pixels. */
  readonly tissue: Readonly<Record<string, { readonly generated: number; readonly learned: number }>>;
}

const side = 64;
const pixels = side * side;
const slicesAtOnce = 16;

/** From which HU on, and up to where. */
const tissues: Readonly<Record<string, readonly [number, number]>> = {
  air: [-Infinity, -950],
  lung: [-950, -500],
  fat: [-150, -30],
  soft: [-30, 150],
  bone: [200, Infinity],
};

export interface JudgeOptions extends OperationOptions {
  /** A U-Net to take features from, for the Fréchet distance; default none. */
  readonly network?: Trained | undefined;
}

/**
 * Compares generated slices with learned ones, both HU [n, row, column]. Throws ERR_SINO_SHAPE where there are fewer than two of
 * either, ERR_SINO_UNSUPPORTED without onnxruntime-node.
 */
export async function judge(
  generated: ArrayLike,
  learned: ArrayLike,
  { network, ...job }: JudgeOptions = {},
): Promise<Judgement> {
  for (const { shape } of [generated, learned])
    if (shape.length !== 3 || shape[0]! < 2)
      throw sinoError(
        "ERR_SINO_SHAPE",
        `Expected at least two slices [n, row, column] but received [${shape.join(", ")}].`,
      );
  const [ours, theirs] = [await small(generated, job), await small(learned, job)];
  const [n, m] = [ours.shape[0]!, theirs.shape[0]!];
  const across = await distances(await turned(ours), theirs);
  const nearest = Array.from({ length: n }, (_, i) => {
    let best = { learned: 0, rmseHu: Infinity };
    for (let way = 0; way < 8; way++)
      for (let j = 0; j < m; j++) {
        const rmseHu = across[(way * n + i) * m + j]!;
        if (rmseHu < best.rmseHu) best = { learned: j, rmseHu };
      }
    return best;
  });
  const [own, among] = [await distances(ours, ours), await distances(theirs, theirs)];
  const closest = Array.from({ length: m }, (_, i) => {
    const row = among.subarray(i * m, (i + 1) * m);
    return row.reduce((least, v, j) => (j !== i && v < least ? v : least), Infinity);
  }).sort((a, b) => a - b);
  const tissue: Record<string, { generated: number; learned: number }> = {};
  for (const name of Object.keys(tissues))
    tissue[name] = { generated: await share(generated, name, job), learned: await share(learned, name, job) };
  return {
    nearest,
    neighboursHu: closest[m >> 1]!,
    diversityHu: { generated: meanOfPairs(own, n), learned: meanOfPairs(among, m) },
    ...(Math.min(...generated.shape.slice(1), ...learned.shape.slice(1)) >= leastForMsSsim && {
      msSsim: { generated: await likeness(generated, job), learned: await likeness(learned, job) },
    }),
    ...(network && { frechet: await frechetOf(generated, learned, network, job) }),
    tissue,
  };
}

const leastForMsSsim = 176;
const mostPairs = 32;

/** Slices of every `step`-th of a batch, from `first` on. */
function every({ data, shape, stride, offset = 0 }: ArrayLike, step: number, first: number, count: number): ArrayLike {
  const steps = stride ?? volume(data, shape).stride;
  const [, rows, columns] = shape as [number, number, number];
  return {
    data,
    shape: [count, rows, columns],
    stride: [step * steps[0]!, steps[1]!, steps[2]!],
    offset: offset + first * steps[0]!,
  };
}

/** Mean MS-SSIM of pairs that lie half the list apart. */
async function likeness(images: ArrayLike, job: OperationOptions): Promise<number> {
  const half = images.shape[0]! >> 1;
  const count = Math.min(half, mostPairs);
  const step = Math.floor(half / count);
  const clipped = async (first: number) =>
    combine([[1, every(images, step, first, count)]], { ...job, low: -1000, high: 1000 });
  const found = await msSsim(await clipped(0), await clipped(half), { ...job, range: 2000 });
  return found.reduce((a, b) => a + b, 0) / count;
}

async function frechetOf(generated: ArrayLike, learned: ArrayLike, network: Trained, { signal }: OperationOptions) {
  const ours = await networkFeatures(network, generated, { signal });
  const theirs = await networkFeatures(network, learned, { signal });
  const [n, d] = theirs.shape as [number, number];
  const part = (first: number): ArrayLike => ({
    data: theirs.data,
    shape: [n >> 1, d],
    stride: [2 * d, 1],
    offset: first * d,
  });
  return {
    generated: frechetDistance(ours, theirs),
    halves: n >= 4 ? frechetDistance(part(0), part(1)) : Number.NaN,
  };
}

function* pieces({ data, shape, stride, offset = 0 }: ArrayLike): Generator<ArrayLike> {
  const steps = stride ?? volume(data, shape).stride;
  for (let first = 0; first < shape[0]!; first += slicesAtOnce) {
    const count = Math.min(slicesAtOnce, shape[0]! - first);
    yield { data, shape: [count, shape[1]!, shape[2]!], stride: steps, offset: offset + first * steps[0]! };
  }
}

async function small(images: ArrayLike, job: OperationOptions): Promise<Volume> {
  const result = new Float32Array(images.shape[0]! * pixels);
  let at = 0;
  for (const piece of pieces(images)) {
    const method = images.shape[1]! > side && images.shape[2]! > side ? "area" : "linear";
    const { data } = await resample(piece, { ...job, shape: [side, side], method });
    result.set(data, at);
    at += data.length;
  }
  return volume(result, [images.shape[0]!, side, side]);
}

/** All images in the eight symmetries of a square, one symmetry after the other. */
async function turned({ data, shape }: Volume): Promise<Volume> {
  const n = shape[0]!;
  const result = new Float32Array(8 * data.length);
  for (let way = 0; way < 8; way++) {
    const [r, c] = way & 4 ? [1, side] : [side, 1];
    const [signR, signC] = [way & 1 ? -1 : 1, way & 2 ? -1 : 1];
    const offset = (signR < 0 ? r * (side - 1) : 0) + (signC < 0 ? c * (side - 1) : 0);
    const view = { data, shape, stride: [pixels, signR * r, signC * c], offset };
    // resampled to the same size: copied
    result.set((await resample(view, { shape: [side, side], method: "linear" })).data, way * data.length);
  }
  return volume(result, [8 * n, side, side]);
}

/** RMSE in HU of all pairs, [n, m]. */
async function distances(a: Volume, b: Volume): Promise<Float32Array> {
  const [n, m] = [a.shape[0]!, b.shape[0]!];
  const graph = new Graph("distances");
  const [x, y] = [graph.input("a", [n, pixels]), graph.input("b", [m, pixels])];
  graph.output("dot", matmul(x, transpose(y, [1, 0])));
  graph.output("aa", reduceSum(mul(x, x), [1]));
  graph.output("bb", reduceSum(mul(y, y), [1]));
  const session = await openSession(writeOnnx(graph));
  try {
    const values = ({ data }: Volume, count: number) => ({ data, shape: [count, pixels] });
    const { dot, aa, bb } = await session.run({ a: values(a, n), b: values(b, m) });
    const [d, p, q] = [dot, aa, bb].map((v) => v!.data as Float32Array) as [Float32Array, Float32Array, Float32Array];
    return d.map((v, k) => Math.sqrt(Math.max(0, p[Math.floor(k / m)]! + q[k % m]! - 2 * v) / pixels));
  } finally {
    await session.close();
  }
}

const meanOfPairs = (matrix: Float32Array, n: number): number =>
  matrix.reduce((sum, v, k) => (k % n === Math.floor(k / n) ? sum : sum + v), 0) / (n * (n - 1));

async function share(images: ArrayLike, name: string, job: OperationOptions): Promise<number> {
  const [low, high] = tissues[name]!;
  let sum = 0;
  let all = 0;
  for (const piece of pieces(images)) {
    const size = piece.shape.reduce((a, b) => a * b, 1);
    const from = async (hu: number) => (await statistics(await threshold(piece, hu, job), job)).sum;
    sum += (low === -Infinity ? size : await from(low)) - (high === Infinity ? 0 : await from(high));
    all += size;
  }
  return sum / all;
}
