/**
 * Every gradient rule against finite differences: along random directions v, ⟨∇L, v⟩ = (L(x + εv) − L(x − εv)) / 2ε with
 * L = Σ r·y for random r, summed in double.
 */
import assert from "node:assert/strict";
import * as g from "../../lib/graph/index.ts";
import { openSession } from "../../lib/models/session.ts";
import { bceLoss, diceLoss } from "../../lib/training/losses.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

type T = g.Tensor;
interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly build: (...inputs: T[]) => T;
  /** Range of the values; default [−1, 1]. */
  readonly range?: readonly [number, number];
}

const unary = (build: (x: T) => T, range?: readonly [number, number]): Case => ({
  shapes: [[3, 5]],
  build,
  ...(range && { range }),
});
const binary = (build: (a: T, b: T) => T, range?: readonly [number, number]): Case => ({
  shapes: [
    [2, 3, 4],
    [3, 1],
  ],
  build,
  ...(range && { range }),
});
const convolution = (x: number[], w: number[], options: g.ConvOptions = {}): Case => ({
  shapes: [x, w, [w[0]!]],
  build: (a, b, c) => g.conv(a, b, { ...options, bias: c }),
});
const transposed = (x: number[], w: number[], options: g.ConvTransposeOptions = {}): Case => ({
  shapes: [x, w, [w[1]! * (options.groups ?? 1)]],
  build: (a, b, c) => g.convTranspose(a, b, { ...options, bias: c }),
});

const cases: Record<string, Case> = {
  add: binary(g.add),
  sub: binary(g.sub),
  mul: binary(g.mul),
  div: binary(g.div, [0.5, 2]),
  pow: binary(g.pow, [0.5, 2]),
  max: binary(g.max),
  min: binary(g.min),
  where: binary((a, b) => g.where(g.greater(a, 0), a, b)),
  sum: { shapes: [[2, 3], [3], [2, 1]], build: (a, b, c) => g.sum(a, b, c) },
  neg: unary(g.neg),
  exp: unary(g.exp),
  log: unary(g.log, [0.5, 2]),
  sqrt: unary(g.sqrt, [0.5, 2]),
  abs: unary(g.abs),
  sin: unary(g.sin),
  cos: unary(g.cos),
  square: unary(g.square),
  clip: unary((x) => g.clip(x, -0.4, 0.3)),
  relu: unary(g.relu),
  leakyRelu: unary((x) => g.leakyRelu(x, 0.2)),
  prelu: {
    shapes: [
      [2, 3, 5],
      [3, 1],
    ],
    build: g.prelu,
  },
  sigmoid: unary(g.sigmoid, [-4, 4]),
  tanh: unary(g.tanh, [-2, 2]),
  silu: unary(g.silu, [-4, 4]),
  gelu: unary(g.gelu, [-3, 3]),
  softplus: unary(g.softplus, [-3, 3]),
  "the same tensor twice": unary((x) => g.mul(g.add(x, g.exp(x)), x)),
  reduceSum: { shapes: [[2, 3, 4]], build: (x) => g.reduceSum(x, [0, 2]) },
  reduceMean: { shapes: [[2, 3, 4]], build: (x) => g.reduceMean(x, [-1], { keep: true }) },
  reduceSumSquare: { shapes: [[2, 3, 4]], build: (x) => g.reduceSumSquare(x, [1]) },
  reshape: { shapes: [[2, 6]], build: (x) => g.reshape(x, [3, -1]) },
  transpose: { shapes: [[2, 3, 4]], build: (x) => g.transpose(x, [2, 0, 1]) },
  expand: { shapes: [[3, 1]], build: (x) => g.expand(x, [2, 3, 4]) },
  concat: {
    shapes: [
      [2, 3],
      [2, 1],
      [2, 4],
    ],
    build: (...parts) => g.concat(parts, 1),
  },
  split: { shapes: [[5, 3]], build: (x) => g.split(x, [2, 3], 0)[1]! },
  slice: { shapes: [[3, 7]], build: (x) => g.slice(x, -1, 1, 6, { step: 2 }) },
  flip: { shapes: [[3, 4]], build: (x) => g.flip(x, [0, 1]) },
  pad: { shapes: [[3, 4]], build: (x) => g.pad(x, [1, 0], [0, 2]) },
  "pad, cutting": { shapes: [[3, 5]], build: (x) => g.pad(x, [1, -2], [-1, 2]) },
  "pad, reflected": { shapes: [[2, 3, 5]], build: (x) => g.pad(x, [0, 2, 3], [0, 1, 2], "reflect") },
  "pad, edge": { shapes: [[2, 3, 5]], build: (x) => g.pad(x, [0, 2, 3], [0, 1, 2], "edge") },
  gather: {
    shapes: [[5, 3]],
    build: (x) => g.gather(x, x.graph.constant(BigInt64Array.of(4n, 0n, 4n, 2n), [2, 2])),
  },
  "gather along axis 1": {
    shapes: [[2, 4, 3]],
    build: (x) => g.gather(x, x.graph.constant(BigInt64Array.of(3n, 3n, 1n), [3]), 1),
  },
  matmul: {
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    build: g.matmul,
  },
  "matmul, one matrix for a batch": {
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
    build: g.matmul,
  },
  "matmul, batches that broadcast": {
    shapes: [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
    build: g.matmul,
  },
  linear: { shapes: [[2, 3, 4], [5, 4], [5]], build: g.linear },
  conv: convolution([2, 3, 7, 6], [4, 3, 3, 3], { padding: "same" }),
  "conv, no padding": convolution([2, 3, 7, 6], [4, 3, 3, 2]),
  "conv, stride": convolution([2, 2, 8, 7], [3, 2, 3, 3], { stride: 2, padding: 1 }),
  "conv, uneven stride and padding": convolution([1, 2, 9, 11], [3, 2, 2, 4], { stride: [3, 2], padding: [1, 2] }),
  "conv, dilation": convolution([2, 2, 8, 9], [3, 2, 3, 3], { dilation: 2, padding: "same" }),
  "conv, stride and dilation": convolution([2, 2, 10, 9], [3, 2, 3, 3], { stride: 2, dilation: 2, padding: 1 }),
  "conv, groups": convolution([2, 4, 6, 5], [6, 2, 3, 3], { groups: 2, padding: 1 }),
  "conv, depthwise": convolution([2, 4, 6, 5], [4, 1, 3, 3], { groups: 4, padding: 1 }),
  "conv, groups and stride": convolution([2, 4, 7, 6], [6, 2, 3, 3], { groups: 2, padding: 1, stride: 2 }),
  "conv, 1×1": convolution([2, 5, 4, 3], [3, 5, 1, 1]),
  "conv, padding wider than the kernel": convolution([1, 2, 4, 5], [3, 2, 1, 3], { padding: [1, 3] }),
  "conv, 1-D": convolution([2, 3, 11], [4, 3, 5], { padding: 2 }),
  "conv, 3-D": convolution([2, 2, 4, 5, 6], [3, 2, 3, 3, 3], { padding: "same" }),
  "conv, 3-D, stride": convolution([1, 2, 5, 6, 7], [3, 2, 3, 3, 3], { padding: 1, stride: 2 }),
  convTranspose: transposed([2, 4, 5, 4], [4, 3, 3, 3], { padding: 1 }),
  "convTranspose, stride": transposed([2, 4, 5, 4], [4, 3, 2, 2], { stride: 2 }),
  "convTranspose, stride, output padding": transposed([2, 4, 5, 4], [4, 3, 3, 3], {
    stride: 2,
    padding: 1,
    outputPadding: 1,
  }),
  "convTranspose, groups": transposed([2, 4, 5, 4], [4, 3, 3, 3], { groups: 2, padding: 1 }),
  "convTranspose, 3-D": transposed([1, 3, 3, 4, 3], [3, 2, 2, 2, 2], { stride: 2 }),
  softmax: { shapes: [[2, 3, 5]], build: (x) => g.softmax(x), range: [-2, 2] },
  "softmax along axis 1": { shapes: [[2, 3, 5]], build: (x) => g.softmax(x, 1), range: [-2, 2] },
  logSoftmax: { shapes: [[3, 5]], build: (x) => g.logSoftmax(x), range: [-2, 2] },
  attention: {
    shapes: [
      [2, 2, 5, 3],
      [2, 2, 4, 3],
      [2, 2, 4, 6],
    ],
    build: g.attention,
  },
  groupNorm: {
    shapes: [[2, 6, 3, 4], [6], [6]],
    build: (x, scale, bias) => g.groupNorm(x, 3, { scale, bias }),
  },
  "groupNorm, scale and shift by sample": {
    shapes: [
      [2, 6, 3, 4],
      [2, 6],
      [2, 6],
    ],
    build: (x, scale, bias) => g.groupNorm(x, 2, { scale, bias }),
  },
  instanceNorm: { shapes: [[2, 3, 4, 5]], build: (x) => g.instanceNorm(x) },
  layerNorm: { shapes: [[2, 3, 7], [7], [7]], build: (x, scale, bias) => g.layerNorm(x, { scale, bias }) },
  batchNorm: { shapes: [[3, 4, 3, 5], [4], [4]], build: (x, scale, bias) => g.batchNorm(x, { scale, bias }).y },
  "batchNorm, folded": {
    shapes: [[3, 4, 3, 5], [4], [4], [4]],
    build: (x, scale, bias, mean) => g.foldedBatchNorm(x, { mean, variance: g.exp(mean) }, { scale, bias }),
  },
  maxPool: { shapes: [[2, 3, 6, 4]], build: (x) => g.maxPool(x, 2), range: [-30, 30] },
  "maxPool, overlapping": {
    shapes: [[2, 3, 7, 9]],
    build: (x) => g.maxPool(x, 3, { stride: 2, padding: 1 }),
    range: [-30, 30],
  },
  "maxPool, 3-D": { shapes: [[1, 2, 4, 4, 6]], build: (x) => g.maxPool(x, 2), range: [-30, 30] },
  averagePool: { shapes: [[2, 3, 6, 4]], build: (x) => g.averagePool(x, 2) },
  "averagePool, overlapping": { shapes: [[2, 3, 8, 9]], build: (x) => g.averagePool(x, 3, { stride: 2, padding: 1 }) },
  "averagePool, 3-D": { shapes: [[1, 2, 4, 4, 6]], build: (x) => g.averagePool(x, 2) },
  upsample: { shapes: [[2, 3, 3, 4]], build: (x) => g.upsample(x, 2) },
  "upsample, 3-D, uneven": { shapes: [[1, 2, 3, 2, 2]], build: (x) => g.upsample(x, [1, 2, 3]) },
  "resize, half pixels": { shapes: [[2, 2, 3, 4]], build: (x) => g.resizeLinear(x, [6, 9]) },
  "resize, corners, smaller": { shapes: [[2, 2, 6, 7]], build: (x) => g.resizeLinear(x, [4, 3], { align: "corners" }) },
  "resize, 3-D": { shapes: [[1, 2, 3, 2, 4]], build: (x) => g.resizeLinear(x, [6, 4, 8]) },
  pixelShuffle: { shapes: [[2, 8, 3, 2]], build: (x) => g.pixelShuffle(x, 2) },
  pixelUnshuffle: { shapes: [[2, 2, 4, 6]], build: (x) => g.pixelUnshuffle(x, 2) },
  "loss bce": {
    shapes: [
      [2, 1, 3, 4],
      [2, 1, 3, 4],
    ],
    build: bceLoss,
    range: [-3, 3],
  },
  "loss dice": {
    shapes: [
      [2, 1, 3, 4],
      [2, 1, 3, 4],
    ],
    build: diceLoss,
    range: [0, 2],
  },
  checkpoint: {
    shapes: [[2, 3, 4], [4, 4], [4]],
    build: (x, w, b) => {
      const once = g.checkpoint([x], (t) => g.tanh(g.add(g.matmul(t, w), b)));
      return g.mul(
        g.checkpoint([once, x], (t, u) => g.sigmoid(g.add(g.matmul(t, w), u))),
        once,
      );
    },
  },
};

const epsilon = 2e-3;

async function worst({ shapes, build, range = [-1, 1] }: Case, seed: number): Promise<number> {
  const graph = new g.Graph("case");
  const inputs = shapes.map((shape, i) => graph.input(`x${i}`, shape));
  const y = build(...inputs);
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const next = randomSource(seed);
  const draw = (n: number, low = -1, high = 1) => Float32Array.from({ length: n }, () => low + (high - low) * next());
  const r = draw(size(y.shape));
  graph.output("y", y);
  g.gradients(g.reduceSum(g.mul(y, graph.constant(r, y.shape))), inputs).forEach((d, i) => {
    assert.deepEqual(d.shape, shapes[i]);
    graph.output(`d${i}`, d);
  });
  const session = await openSession(g.writeOnnx(graph), { threads: 1 });
  try {
    const point = shapes.map((shape) => draw(size(shape), ...range));
    const feed = (data: readonly Float32Array[]) =>
      Object.fromEntries(data.map((values, i) => [`x${i}`, { data: values, shape: shapes[i]! }]));
    const loss = async (data: readonly Float32Array[]) => {
      const values = (await session.run(feed(data)))["y"]!.data as Float32Array;
      return values.reduce((sum, v, i) => sum + v * r[i]!, 0);
    };
    const exact = await session.run(feed(point));
    let largest = 0;
    for (let i = 0; i < shapes.length; i++) {
      const gradient = exact[`d${i}`]!.data as Float32Array;
      for (let trial = 0; trial < 3; trial++) {
        const v = draw(gradient.length);
        const moved = (h: number) => point.map((data, j) => (j === i ? data.map((x, k) => x + h * v[k]!) : data));
        const slope = ((await loss(moved(epsilon))) - (await loss(moved(-epsilon)))) / (2 * epsilon);
        const along = gradient.reduce((sum, d, k) => sum + d * v[k]!, 0);
        const scale = Math.hypot(...gradient) * Math.hypot(...v) + 1e-3;
        largest = Math.max(largest, Math.abs(along - slope) / scale);
      }
    }
    return largest;
  } finally {
    await session.close();
  }
}

const test = testSuite("gradients");

for (const [name, body] of Object.entries(cases))
  test.skipUnless(hasOnnxRuntime, noOnnxRuntime)(name, async () => {
    // rounding to float32 over 2ε is about 1e-4; a wrong rule is off by its own size
    const error = await worst(body, 7);
    assert.ok(error < 1e-3, `the gradient differs from finite differences by ${error.toExponential(2)} of its size`);
  });

test.run();
