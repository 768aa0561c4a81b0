/**
 * One training step as one ONNX model: network, loss, gradients, clipping, optimiser and moving average.
 *
 * Inputs: the state (`parameters`, `first`, `second`, `average`, `buffers`), the numbers of the step (`rate`,
 * `correction1`, `correction2`, `keep`), the network's inputs, `target`, and `weight` [N] of each sample.
 * Outputs: the state after the step under the same names with `next_` before them, `loss` and `norm`.
 */
import { add, concat, Graph, gradients, mul, reduceMean, reshape, type Tensor, writeOnnx } from "../graph/index.ts";
import {
  addNetwork,
  inputsOf,
  type NetworkDescription,
  type NetworkSize,
  type ParameterSpec,
  Scope,
  summarize,
} from "../networks/index.ts";
import { l1, l2, ssimLoss } from "./losses.ts";
import { adamStep, averaged, type OptimizerOptions } from "./optimizer.ts";
import { lengthOf, VectorSource } from "./state.ts";

/** Weights of the terms of a loss; those left out are zero. */
export interface LossDescription {
  readonly l1?: number | undefined;
  readonly l2?: number | undefined;
  readonly ssim?: number | undefined;
}

export interface StepGraphOptions {
  readonly network: NetworkDescription;
  readonly size: NetworkSize;
  readonly loss: LossDescription;
  readonly optimizer?: OptimizerOptions;
  /** Also keeps a moving average of the parameters. */
  readonly average?: boolean;
}

export interface StepGraph {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly parameters: readonly ParameterSpec[];
  readonly buffers: readonly ParameterSpec[];
  readonly targetShape: readonly number[];
}

/** The loss of an output, one value. */
export function lossOf(y: Tensor, target: Tensor, weight: Tensor, loss: LossDescription): Tensor {
  const terms: Tensor[] = [];
  if (loss.l1) terms.push(mul(l1(y, target), loss.l1));
  if (loss.l2) terms.push(mul(l2(y, target), loss.l2));
  if (loss.ssim) terms.push(mul(ssimLoss(y, target), loss.ssim));
  const perSample = terms.reduce((a, b) => add(a, b));
  return reduceMean(mul(perSample, weight), [0]);
}

/** Builds the model of a training step. Throws ERR_SINO_SHAPE where sizes and network do not fit. */
export function stepGraph({ network, size, loss, optimizer = {}, average = false }: StepGraphOptions): StepGraph {
  const { parameterSpecs, bufferSpecs, outputShape } = summarize(network, size);
  const graph = new Graph("step");
  const total = lengthOf(parameterSpecs);
  const vector = (name: string, n = total) => graph.input(name, [n]);
  const parameters = vector("parameters");
  const state = { parameters, first: vector("first"), second: vector("second") };
  const average0 = average ? vector("average") : undefined;
  const buffers = bufferSpecs.length > 0 ? vector("buffers", lengthOf(bufferSpecs)) : undefined;
  const numbers = {
    rate: graph.input("rate", []),
    correction1: graph.input("correction1", []),
    correction2: graph.input("correction2", []),
  };
  const keep = average ? graph.input("keep", []) : undefined;

  const source = new VectorSource(
    { parameters, buffers },
    { parameters: parameterSpecs, buffers: bufferSpecs },
    { isTraining: true },
  );
  const inputs: Record<string, Tensor> = {};
  for (const { name, shape, type } of inputsOf(network, size)) inputs[name] = graph.input(name, shape, type);
  const y = addNetwork(new Scope(source), inputs, network);
  const value = lossOf(y, graph.input("target", outputShape), graph.input("weight", [size.batch]), loss);

  const flat = (t: Tensor) => reshape(t, [-1]);
  const slopes = gradients(value, [...source.parameters.values()]);
  const updated = adamStep(state, concat(slopes.map(flat), 0), numbers, optimizer);
  graph.output("next_parameters", updated.parameters);
  graph.output("next_first", updated.first);
  graph.output("next_second", updated.second);
  if (average0) graph.output("next_average", averaged(average0, updated.parameters, keep!));
  if (buffers)
    graph.output(
      "next_buffers",
      concat(
        bufferSpecs.map((spec) => flat(source.updates.get(spec.name)!)),
        0,
      ),
    );
  graph.output("loss", value);
  graph.output("norm", updated.norm);
  return { model: writeOnnx(graph), parameters: parameterSpecs, buffers: bufferSpecs, targetShape: outputShape };
}
