/** One description, three graphs: to count, to use, and (lib/training) to train. */
import { sinoError } from "../core/errors.ts";
import {
  abs,
  add,
  addLimits,
  addRoundingErrors,
  type Calibration,
  flopsOf,
  Graph,
  gradients,
  max,
  mul,
  quantize,
  quantizedShare,
  reduceMean,
  reduceSum,
  reshape,
  sigmoid,
  sub,
  type Tensor,
  writeOnnx,
} from "../graph/index.ts";
import { addNetwork, inputsOf, type NetworkDescription, type NetworkSize } from "./description.ts";
import { InputSource, type ParameterSpec, Scope, type Source } from "./scope.ts";

export interface NetworkSummary {
  readonly parameters: number;
  /** Floating-point operations of one forward pass, a multiplication and an addition counting as two. */
  readonly flops: number;
  readonly outputShape: readonly number[];
  readonly parameterSpecs: readonly ParameterSpec[];
  readonly bufferSpecs: readonly ParameterSpec[];
}

/** Counts parameters and operations, and checks that the sizes fit. Throws ERR_SINO_SHAPE. */
export function summarize(d: NetworkDescription, size: NetworkSize, { isTraining = true } = {}): NetworkSummary {
  const graph = new Graph(d.kind);
  const source = new InputSource(graph, { isTraining });
  const y = networkIn(graph, source, d, size);
  graph.output("y", y);
  return {
    parameters: source.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    flops: flopsOf(graph),
    outputShape: y.shape,
    parameterSpecs: source.parameters,
    bufferSpecs: source.buffers,
  };
}

/** Adds inputs and network to a graph; gives the output. */
export function networkIn(
  graph: Graph,
  source: Source,
  d: NetworkDescription,
  size: NetworkSize,
  { scale: { offset, factor } = { offset: 0, factor: 1 }, isProbability = false }: OutsideOptions = {},
): Tensor {
  const inputs: Record<string, Tensor> = {};
  for (const { name, shape, type } of inputsOf(d, size)) inputs[name] = graph.input(name, shape, type);
  const isScaled = offset !== 0 || factor !== 1;
  if (isScaled) inputs["x"] = mul(sub(inputs["x"]!, offset), factor);
  const y = addNetwork(new Scope(source), inputs, d);
  if (isProbability) return sigmoid(y);
  return isScaled ? add(mul(y, 1 / factor), offset) : y;
}

export type Weights = ReadonlyMap<string, Float32Array>;

export interface ModelOptions {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** The network sees (value − offset) · factor, and its output goes the way back: the model works in the data's units. */
  readonly scale?: { readonly offset: number; readonly factor: number } | undefined;
  /** The network gives logits: the model gives their probabilities, sigmoid(y), and scales its input only; default false. */
  readonly isProbability?: boolean | undefined;
  /** Convolutions that compute in 8 bits, and between which limits; default none. */
  readonly calibration?: Calibration | undefined;
}

/** What lies between a network and the units of its data. */
type OutsideOptions = Pick<ModelOptions, "scale" | "isProbability">;

function networkGraph(d: NetworkDescription, weights: Weights, size: NetworkSize, outside: OutsideOptions): Graph {
  const graph = new Graph(d.kind);
  const take = ({ name, shape }: ParameterSpec): Tensor => {
    const data = weights.get(name);
    const n = shape.reduce((a, b) => a * b, 1);
    if (data?.length !== n)
      throw sinoError(
        "ERR_SINO_MODEL",
        `The weights expected ${n} values for ${name} of shape [${shape.join(", ")}] but hold ${data?.length ?? "none"}.`,
        { details: { name, shape } },
      );
    return graph.constant(data, shape, name);
  };
  const source: Source = { graph, isTraining: false, parameter: take, buffer: take, update: () => undefined };
  graph.output("y", networkIn(graph, source, d, size, outside));
  return graph;
}

/**
 * The ONNX model of a trained network, weights inside. Output `y`; inputs `x` and, where the network takes them, `t`,
 * `class`, `values`, `context`. Throws ERR_SINO_MODEL where a weight is missing or has another size, or the calibration is of
 * another network.
 */
export function networkModel(
  d: NetworkDescription,
  weights: Weights,
  size: NetworkSize,
  { metadata = {}, calibration, ...outside }: ModelOptions = {},
): Uint8Array<ArrayBuffer> {
  const graph = networkGraph(d, weights, size, outside);
  return writeOnnx(calibration ? quantize(graph, calibration) : graph, {
    metadata: { ...metadata, "sinogram.network": JSON.stringify(d) },
  });
}

/** The same model with the limits of its convolutions as further outputs, or with what rounding within limits costs. */
export function calibrationModel(
  d: NetworkDescription,
  weights: Weights,
  size: NetworkSize,
  calibration?: Calibration,
): Uint8Array<ArrayBuffer> {
  const graph = networkGraph(d, weights, size, {});
  if (calibration) addRoundingErrors(graph, calibration);
  else addLimits(graph);
  return writeOnnx(graph);
}

/** The last convolution of a U-Net's innermost level takes them. */
const innermost = "middle.1.conv2.weight";

/**
 * A model of a U-Net's innermost activations, their mean over the image: output `features` [batch, channel]. Throws ERR_SINO_UNSUPPORTED
 * for a network without such a level.
 */
export function featureModel(d: NetworkDescription, weights: Weights, size: NetworkSize): Uint8Array<ArrayBuffer> {
  const graph = networkGraph(d, weights, size, {});
  const node = graph.nodes.find(({ inputs }) => inputs[1]?.name === innermost);
  if (!node) throw sinoError("ERR_SINO_UNSUPPORTED", "Expected a U-Net of residual blocks to take features from.");
  const inner = node.inputs[0]!;
  graph.outputs.clear();
  graph.output("features", reduceMean(reshape(inner, [size.batch, inner.shape[1]!, -1]), [2]));
  return writeOnnx(graph);
}

/**
 * A model of what enters one convolution of a network, named as its weights without ".weight" ("down.1.down"): output `maps`
 * [batch, channel, …], for perceptual losses. The network sees its own scale. Throws ERR_SINO_MODEL where there is no such convolution.
 */
export function activationModel(
  d: NetworkDescription,
  weights: Weights,
  size: NetworkSize,
  layer: string,
): Uint8Array<ArrayBuffer> {
  const graph = networkGraph(d, weights, size, {});
  const node = graph.nodes.find(({ inputs }) => inputs[1]?.name === `${layer}.weight`);
  if (!node) {
    const layers = graph.nodes.flatMap(({ type, inputs }) =>
      /^Conv/.test(type) ? (inputs[1]!.name.match(/^(.*)\.weight$/)?.[1] ?? []) : [],
    );
    throw sinoError(
      "ERR_SINO_MODEL",
      `Expected the name of a convolution, one of ${layers.join(", ")}, but received ${layer}.`,
    );
  }
  graph.outputs.clear();
  graph.output("maps", node.inputs[0]!);
  return writeOnnx(graph);
}

/** How much of the multiplications of a network's convolutions a calibration puts into 8 bits, 0 to 1. */
export function shareInInt8(
  d: NetworkDescription,
  weights: Weights,
  size: NetworkSize,
  calibration: Calibration,
): number {
  return quantizedShare(networkGraph(d, weights, size, {}), calibration);
}

/** Where a network has seen most: what enters the last convolution of those whose input is smallest. */
function innermostOf(graph: Graph, x: Tensor): Tensor {
  const entries = graph.nodes.flatMap(({ type, inputs }) => (/^Conv/.test(type) ? [inputs[0]!] : []));
  const area = (t: Tensor): number => t.shape.slice(2).reduce((a, b) => a * b, 1);
  const inner = entries.filter((t) => t !== x && t.shape[1]! > x.shape[1]!);
  const least = Math.min(...inner.map(area));
  const found = inner.findLast((t) => area(t) === least);
  if (!found)
    throw sinoError("ERR_SINO_UNSUPPORTED", "Expected a network with layers of several channels to look into.");
  return found;
}

/**
 * A model of why a network of images of images changes what it changes, by gradients. Inputs `x` and `region` of the same shape, a weight per
 * pixel; the amount of change is Σ region · |y − x|. Outputs: `influence`, |∂amount/∂x|, and `attention`, Grad-CAM (R. Selvaraju et al.,
 * ICCV 2017) on the innermost activations A: max(0, Σ_c A_c · mean ∂amount/∂A_c), at their size.
 */
export function explanationModel(
  d: NetworkDescription,
  weights: Weights,
  size: NetworkSize,
  outside: OutsideOptions = {},
): Uint8Array<ArrayBuffer> {
  const graph = networkGraph(d, weights, size, outside);
  // inner activations are asked for, so they are kept
  graph.segments.length = 0;
  const x = graph.inputs[0]!;
  const inner = innermostOf(graph, x);
  const change = sub(graph.outputs.get("y")!, x);
  const amount = reduceSum(mul(abs(change), graph.input("region", x.shape)));
  const [byInput, byInner] = gradients(amount, [x, inner]) as [Tensor, Tensor];
  const axes = [...inner.shape.keys()].slice(2);
  const [batch, channels] = inner.shape as [number, number];
  const share = reshape(reduceMean(byInner, axes), [batch, channels, ...axes.map(() => 1)]);
  graph.outputs.clear();
  graph.output("influence", abs(byInput));
  graph.output("attention", max(reduceSum(mul(inner, share), [1]), 0));
  return writeOnnx(graph);
}
