/**
 * Graphs: networks, their gradients and their optimisers as ordinary ONNX models, which onnxruntime runs on whatever it
 * has. What trains is what deploys.
 *
 *     const graph = new Graph("fit");
 *     const x = graph.input("x", [8, 1, 64, 64]);
 *     const w = graph.input("w", [16, 1, 3, 3]);          // parameters are inputs: they change from step to step
 *     const y = relu(conv(x, w, { padding: "same" }));
 *     const loss = reduceMean(square(y));
 *     const [dw] = gradients(loss, [w]);
 *     graph.output("loss", loss);
 *     graph.output("w_next", sub(w, mul(dw, 1e-3)));
 *     const session = await openSession(writeOnnx(graph));
 *
 * A `Tensor` is a name with a type and a shape, not an array. Functions such as `conv` add a node to the graph of their
 * operands and give its output; shapes are known and checked there and then (ERR_SINO_SHAPE names operation and shapes).
 * `gradients` walks the nodes backwards and adds those that compute the gradients; they are nodes like all others, and a
 * gradient can have a gradient where each operation on the way has a rule.
 *
 * An operation is one entry of a table (operation.ts): its shapes, its gradient and, where it is not in the pinned opset
 * or runs faster in another form, its `lower`ing into ONNX operations, done when the model is written. To add one, define
 * it beside its kin in ops/, export its function here, and give it a line in test/math/gradients.test.ts. Only static
 * shapes: a graph is built for one batch size, which takes milliseconds; weights are fed, not baked in.
 */
export { flopsOf } from "./flops.ts";
export { checkpoint, gradients, pullback } from "./gradient.ts";
export { Graph } from "./graph.ts";
export { importOnnx, modelInput, readOnnx } from "./import.ts";
export { opset, type WriteOptions, writeOnnx } from "./onnx-write.ts";
export { gelu, leakyRelu, prelu, relu, sigmoid, silu, softplus, tanh } from "./ops/activations.ts";
export { type ConvOptions, type ConvTransposeOptions, conv, convTranspose } from "./ops/conv.ts";
export {
  abs,
  add,
  cast,
  clip,
  cos,
  div,
  equal,
  exp,
  greater,
  identity,
  less,
  log,
  max,
  min,
  mul,
  neg,
  pow,
  sign,
  sin,
  sqrt,
  square,
  sub,
  sum,
  where,
} from "./ops/elementwise.ts";
export { concat, expand, flip, gather, pad, reshape, slice, split, transpose } from "./ops/layout.ts";
export { linear, matmul } from "./ops/matmul.ts";
export {
  type BatchNormResult,
  batchNorm,
  foldedBatchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  type NormOptions,
} from "./ops/norm.ts";
export { averagePool, maxPool, type PoolOptions } from "./ops/pool.ts";
export { reduceMax, reduceMean, reduceSum, reduceSumSquare } from "./ops/reduce.ts";
export { gridSample, pixelShuffle, pixelUnshuffle, type ResizeOptions, resizeLinear, upsample } from "./ops/resize.ts";
export { attention, logSoftmax, softmax } from "./ops/softmax.ts";
export {
  addLimits,
  addRoundingErrors,
  type Calibration,
  limitsFrom,
  narrowest,
  quantize,
  quantizedShare,
} from "./quantize.ts";
export type { ElementType, Spec, Tensor } from "./tensor.ts";
