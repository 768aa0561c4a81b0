/**
 * A graph whose convolutions compute in 8 bits, for inference. Around each convolution its input and output are rounded to 256 steps
 * between the limits that calibration found, its weights to steps of their own for each output channel (symmetric, int8),
 * and its bias to the product of both steps; a runtime fuses the rounding with the convolution (ONNX's QDQ form). All else stays
 * float32. After Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference" (CVPR).
 */
import { sinoError } from "../core/errors.ts";
import { Graph } from "./graph.ts";
import { defineOperation } from "./operation.ts";
import { neg, sub } from "./ops/elementwise.ts";
import { reduceMax, reduceSumSquare } from "./ops/reduce.ts";
import { count, type Node, type Spec, type Tensor } from "./tensor.ts";

/** Least and largest value. */
export type Limits = readonly [low: number, high: number];

/** What calibration found of a convolution. */
export interface ConvLimits {
  readonly input: Limits;
  readonly output: Limits;
}

/** By the name of the convolution's weight; those that are not named stay float32. */
export type Calibration = Readonly<Record<string, ConvLimits>>;

/** Convolutions whose weights are constants of a name, in the order in which they run. */
function convolutionsOf(graph: Graph): { name: string; node: Node }[] {
  return graph.nodes.flatMap((node) => {
    const weight = node.inputs[1];
    return node.type === "Conv" && weight && graph.constants.has(weight) ? [{ name: weight.name, node }] : [];
  });
}

/** Asks the graph for the limits of every convolution's input and output: outputs named as `limitsFrom` reads them. */
export function addLimits(graph: Graph): void {
  for (const { name, node } of convolutionsOf(graph))
    for (const [side, t] of [["input", node.inputs[0]!] as const, ["output", node.outputs[0]!] as const]) {
      graph.output(`${name}:${side}:high`, reduceMax(t));
      graph.output(`${name}:${side}:low`, neg(reduceMax(neg(t))));
    }
}

/** The limits over runs of a graph that `addLimits` has been at; 0 is always within. */
export function limitsFrom(runs: readonly Readonly<Record<string, number>>[]): Calibration {
  const found: Record<string, { input: [number, number]; output: [number, number] }> = {};
  for (const run of runs)
    for (const [key, value] of Object.entries(run)) {
      const [name, side, end] = key.split(":") as [string, "input" | "output", "low" | "high"];
      found[name] ??= { input: [0, 0], output: [0, 0] };
      const limits = found[name][side];
      if (end === "low") limits[0] = Math.min(limits[0], value);
      else limits[1] = Math.max(limits[1], value);
    }
  return found;
}

/** Narrower limits that are tried: a few large values would make the steps of all others coarse. */
const shares = [1, 0.7, 0.5, 0.35, 0.25, 0.17, 0.12, 0.08] as const;

const narrowed = ([low, high]: Limits, share: number): Limits => [low * share, high * share];

/** Asks the graph for the squared error of rounding every input and output, within limits and narrower ones: outputs for `narrowest`. */
export function addRoundingErrors(graph: Graph, calibration: Calibration): void {
  for (const { name, node } of convolutionsOf(graph))
    for (const [side, t] of [["input", node.inputs[0]!] as const, ["output", node.outputs[0]!] as const])
      for (const share of shares) {
        const rounded = round(t, narrowed(calibration[name]![side], share));
        graph.output(`${name}:${side}:${share}`, reduceSumSquare(sub(t, rounded)));
      }
}

/** For every input and output the limits that round best, over runs of a graph that `addRoundingErrors` has been at. */
export function narrowest(
  calibration: Calibration,
  runs: readonly Readonly<Record<string, number>>[],
): Record<string, ConvLimits> {
  const best = (name: string, side: "input" | "output"): Limits => {
    const errors = shares.map((share) => runs.reduce((sum, run) => sum + run[`${name}:${side}:${share}`]!, 0));
    return narrowed(calibration[name]![side], shares[errors.indexOf(Math.min(...errors))]!);
  };
  const names = Object.keys(calibration);
  return Object.fromEntries(names.map((name) => [name, { input: best(name, "input"), output: best(name, "output") }]));
}

const steps = 255;
const mostWeight = 127;

/** The graph with the convolutions that `calibration` names in 8 bits. Throws ERR_SINO_MODEL where it names another. */
export function quantize(graph: Graph, calibration: Calibration): Graph {
  const left = new Set(Object.keys(calibration));
  const result = new Graph(graph.name);
  const copies = new Map<Tensor, Tensor>();
  const rounded = new Map<Tensor, Tensor>();
  for (const t of graph.inputs) copies.set(t, result.input(t.name, t.shape, t.type));
  for (const [t, data] of graph.constants) copies.set(t, result.constant(data, t.shape, t.name));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((t) => t && copies.get(t)!);
    const limits = node.type === "Conv" ? calibration[node.inputs[1]!.name] : undefined;
    if (!limits) {
      const outputs = result.append(node.type, inputs, node.attributes, node.outputs);
      node.outputs.forEach((t, i) => {
        copies.set(t, outputs[i]!);
      });
      continue;
    }
    const [x, weight, bias] = node.inputs as [Tensor, Tensor, Tensor | undefined];
    left.delete(weight.name);
    const { step } = scaleOf(limits.input);
    const source = rounded.get(x) ?? round(copies.get(x)!, limits.input);
    rounded.set(x, source);
    const { w, b } = roundWeights(result, graph.constants.get(weight) as Float32Array, weight, step, {
      bias: bias && (graph.constants.get(bias) as Float32Array),
    });
    const [y] = result.append("Conv", b ? [source, w, b] : [source, w], node.attributes, node.outputs) as [Tensor];
    copies.set(node.outputs[0]!, round(y, limits.output));
  }
  for (const [name, t] of graph.outputs) result.output(name, copies.get(t)!);
  if (left.size === 0) return result;
  throw sinoError(
    "ERR_SINO_MODEL",
    `The calibration names convolutions that the network does not have: ${[...left].slice(0, 3).join(", ")}. Calibrate this network.`,
  );
}

function scaleOf([low, high]: Limits): { step: number; zero: number } {
  const step = Math.fround(Math.max(high - low, 1e-12) / steps);
  return { step, zero: Math.min(steps, Math.max(0, Math.round(-low / step))) };
}

/** To 256 steps and back. */
function round(x: Tensor, limits: Limits): Tensor {
  const { step, zero } = scaleOf(limits);
  const { graph } = x;
  const how = [graph.scalar(step), graph.constant(Uint8Array.of(zero), [])];
  const [bytes] = graph.add("QuantizeLinear", [x, ...how]) as [Tensor];
  return graph.add("DequantizeLinear", [bytes, ...how])[0]!;
}

function roundWeights(
  graph: Graph,
  values: Float32Array,
  { shape, name }: Tensor,
  inputStep: number,
  { bias }: { bias: Float32Array | undefined },
): { w: Tensor; b: Tensor | undefined } {
  const channels = shape[0]!;
  const each = values.length / channels;
  const scale = new Float32Array(channels);
  const bytes = new Int8Array(values.length);
  for (let k = 0; k < channels; k++) {
    const own = values.subarray(k * each, (k + 1) * each);
    const most = own.reduce((largest, v) => Math.max(largest, Math.abs(v)), 0);
    scale[k] = (most || 1) / mostWeight;
    for (let i = 0; i < each; i++) bytes[k * each + i] = Math.round(own[i]! / scale[k]!);
  }
  const steps = graph.constant(scale, [channels], `${name}:step`);
  const q = graph.constant(bytes, shape, `${name}:int8`);
  const zeros = graph.constant(new Int8Array(channels), [channels], `${name}:zero`);
  const w = graph.add("DequantizeLinear", [q, steps, zeros], { axis: 0 })[0]!;
  if (!bias) return { w, b: undefined };
  const biasStep = scale.map((s) => s * inputStep);
  const counts = Int32Array.from(bias, (v, k) => Math.round(v / biasStep[k]!));
  const b = graph.add(
    "DequantizeLinear",
    [
      graph.constant(counts, [channels], `${name}:bias`),
      graph.constant(biasStep, [channels], `${name}:bias:step`),
      graph.constant(new Int32Array(channels), [channels], `${name}:bias:zero`),
    ],
    { axis: 0 },
  )[0]!;
  return { w, b };
}

const specOf = (t: Tensor, type: Spec["type"]): Spec[] => [{ type, shape: t.shape }];
defineOperation("QuantizeLinear", { infer: ([x, , zero]) => specOf(x!, zero!.type) });
defineOperation("DequantizeLinear", { infer: ([x]) => specOf(x!, "float32") });

/** How many multiplications of convolutions are in 8 bits, of all: 0 to 1. */
export function quantizedShare(graph: Graph, calibration: Calibration): number {
  let all = 0;
  let eight = 0;
  for (const { name, node } of convolutionsOf(graph)) {
    const work = count(node.outputs[0]!) * node.inputs[1]!.shape.slice(1).reduce((a, b) => a * b, 1);
    all += work;
    if (name in calibration) eight += work;
  }
  return all > 0 ? eight / all : 0;
}
