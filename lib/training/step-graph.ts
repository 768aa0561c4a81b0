/**
 * One training step as one ONNX model: network, loss, gradients, clipping, optimiser and moving average; and its sibling
 * that only computes the loss.
 *
 * Inputs: the state (`parameters`, `first`, `second`, `average`, `buffers`), the numbers of the step (`rate`,
 * `correction1`, `correction2`, `keep`, in half precision `scale` of the loss), the samples `input` and `target`, and `weight` [N] of each sample; where the
 * recipe asks for them `pose` [N, 3, 2] (warp.ts: then samples are larger than what the network sees), `noise`, `turn` [N], `gain` [N], `shift` [N], and for diffusion `t` [N] and `mix` [N, 4]: the network sees
 * mix₀·clean + mix₁·noise, and behind it the input where that is not what is clean, and is asked for mix₂·clean + mix₃·noise.
 * Outputs: the state after the step under the same names with `next_` before them, `loss`, `norm` and the discriminator's `criticLoss`. The state may be written where it was
 * read: what reads it comes before what writes it, value by value.
 */
import { sinoError } from "../core/errors.ts";
import {
  add,
  concat,
  div,
  equal,
  Graph,
  gradients,
  importOnnx,
  modelInput,
  mul,
  reduceMean,
  reshape,
  split,
  sub,
  sum,
  type Tensor,
  tanh,
  transpose,
  where,
  writeOnnx,
} from "../graph/index.ts";
import {
  addNetwork,
  inputsOf,
  type NetworkDescription,
  type NetworkSize,
  type ParameterSpec,
  Scope,
  type Source,
  summarize,
} from "../networks/index.ts";
import { bceLoss, diceLoss, fakeLoss, fakeSquares, l1, l2, realLoss, realSquares, ssimLoss } from "./losses.ts";
import { adamStep, averaged, type OptimizerOptions } from "./optimizer.ts";
import { lengthOf, VectorSource } from "./state.ts";
import { addCycles, type CycleLoss, type Judged, ofBoth } from "./unpaired.ts";
import { warped } from "./warp.ts";

/** Weights of the terms of a loss; those left out are zero. */
export interface LossDescription extends CycleLoss {
  readonly l1?: number | undefined;
  readonly l2?: number | undefined;
  readonly ssim?: number | undefined;
  /** Of logits against masks. */
  readonly bce?: number | undefined;
  readonly dice?: number | undefined;
  /** Mean squared difference of what an ONNX network makes of output and target: its only input, its first output. */
  readonly perceptual?: { readonly model: Uint8Array; readonly weight: number } | undefined;
  /** What a discriminator, trained alongside, makes of the output. */
  readonly adversarial?: AdversarialLoss | undefined;
}

export interface AdversarialLoss {
  readonly network: NetworkDescription;
  readonly weight: number;
  /** The discriminator sees so many times what images have beyond the input, bent by tanh so that edges saturate; default: the images. */
  readonly detail?: number | undefined;
}

/** What is done to the samples before the network sees them. */
export interface Recipe {
  /** Targets of segmentation are masks, which are neither scaled nor changed by gain and shift. */
  readonly task?: "regression" | "diffusion" | "segmentation" | "noise2void" | "unpaired" | undefined;
  /** Diffusion of the target, or of (target − input) · residual, given the input. */
  readonly isConditional?: boolean | undefined;
  readonly residual?: number | undefined;
  /** Values become (value − offset) · factor. */
  readonly offset?: number | undefined;
  readonly factor?: number | undefined;
  /** Deviation of the noise added to the input. */
  readonly noise?: number | undefined;
  /** Turned and enlarged: out of how many pixels, and whether targets are masks. */
  readonly warp?: { readonly seen: readonly number[]; readonly masks: boolean } | undefined;
  readonly turn?: boolean | undefined;
  readonly gain?: boolean | undefined;
  readonly shift?: boolean | undefined;
}

/** A trained network whose answers training asks for. */
export interface Teacher {
  readonly network: NetworkDescription;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly scale: { readonly offset: number; readonly factor: number };
}

export interface StepGraphOptions {
  readonly teacher?: Teacher | undefined;
  readonly network: NetworkDescription;
  readonly size: NetworkSize;
  readonly loss: LossDescription;
  readonly optimizer?: OptimizerOptions;
  /** Also keeps a moving average of the parameters. */
  readonly average?: boolean;
  /** A U-Net's blocks are computed again for the gradient instead of kept: less memory, a third more time. */
  readonly frugal?: boolean;
  readonly recipe?: Recipe;
  /** Convolutions and matrix products in float16; the loss is scaled for its gradients. */
  readonly half?: boolean | undefined;
}

export interface StepGraph {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly parameters: readonly ParameterSpec[];
  readonly buffers: readonly ParameterSpec[];
  /** Of the discriminators; their state is `critic`, `criticFirst` and `criticSecond`. */
  readonly critic: readonly ParameterSpec[];
  readonly targetShape: readonly number[];
}

/** The loss of an output, one value. */
function lossOf(y: Tensor, target: Tensor, weight: Tensor, loss: LossDescription): Tensor {
  const terms: Tensor[] = [];
  if (loss.l1) terms.push(mul(l1(y, target), loss.l1));
  if (loss.l2) terms.push(mul(l2(y, target), loss.l2));
  if (loss.ssim) terms.push(mul(ssimLoss(y, target), loss.ssim));
  if (loss.bce) terms.push(mul(bceLoss(y, target), loss.bce));
  if (loss.dice) terms.push(mul(diceLoss(y, target), loss.dice));
  if (loss.perceptual) terms.push(mul(perceptual(y, target, loss.perceptual.model), loss.perceptual.weight));
  if (terms.length === 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      "Expected a loss with at least one of l1, l2, ssim, perceptual, bce and dice above 0.",
    );
  return reduceMean(mul(sum(...terms), weight), [0]);
}

/** A network of colour images is shown grey ones three times. */
function perceptual(y: Tensor, target: Tensor, model: Uint8Array): Tensor {
  const { name, shape } = modelInput(model);
  const features = (t: Tensor) => {
    const seen = shape[1] === 3 && t.shape[1] === 1 ? concat([t, t, t], 1) : t;
    return Object.values(importOnnx(t.graph, model, { [name]: seen }))[0]!;
  };
  return l2(features(y), features(target));
}

/** (value − offset) · factor. */
export function scaled(x: Tensor, { offset = 0, factor = 1 }: Recipe): Tensor {
  const moved = offset === 0 ? x : sub(x, offset);
  return factor === 1 ? moved : mul(moved, factor);
}

interface Losses {
  readonly loss: Tensor;
  readonly judged: readonly Judged[];
}

/** What a teacher makes of x, which it sees in its own scale. */
function taught(x: Tensor, { network, weights, scale: own }: Teacher, { offset = 0, factor = 1 }: Recipe): Tensor {
  const { graph } = x;
  const take = ({ name, shape }: ParameterSpec): Tensor => graph.constant(weights.get(name)!, shape, `teacher.${name}`);
  const source: Source = { graph, isTraining: false, parameter: take, buffer: take, update: () => undefined };
  const gain = own.factor / factor;
  const shift = (offset - own.offset) * own.factor;
  const y = addNetwork(new Scope(source), { x: add(mul(x, gain), shift) }, network);
  return mul(sub(y, shift), 1 / gain);
}

/** Adds samples, network and loss to a graph. */
function addLoss(source: VectorSource, options: StepGraphOptions, outputShape: readonly number[]): Losses {
  const { network, size, recipe = {} } = options;
  const { graph } = source;
  const [spec, ...others] = inputsOf(network, size);
  const column = (t: Tensor) => reshape(t, [size.batch, ...spec!.shape.slice(1).map(() => 1)]);
  const perSample = (name: string) => column(graph.input(name, [size.batch]));
  const { warp } = recipe;
  const pose = warp && graph.input("pose", [size.batch, 3, 2]);
  const isSegmentation = recipe.task === "segmentation";
  const patch = (name: string, shape: readonly number[], isMask = false): Tensor => {
    if (!warp) return graph.input(name, shape);
    const times = shape[2]! / size.size[0]!;
    const seen = graph.input(name, [...shape.slice(0, 2), ...warp.seen.map((n) => n * times)]);
    return warped(seen, pose!, size.size, times, isMask);
  };
  const targets = (): Tensor =>
    isSegmentation ? patch("target", outputShape, true) : scaled(patch("target", outputShape, warp?.masks), recipe);
  const isDiffusion = recipe.task === "diffusion";
  const seenShape = spec!.shape.with(1, spec!.shape[1]! - (recipe.isConditional ? outputShape[1]! : 0));
  let x = scaled(patch("input", seenShape), recipe);
  let target = isDiffusion && !recipe.isConditional ? x : targets();
  const weight = graph.input("weight", [size.batch]);
  const change = (f: (t: Tensor) => Tensor, isOfValues = true) => {
    const same = target === x;
    x = f(x);
    if (!(isOfValues && isSegmentation)) target = same ? x : f(target);
  };
  if (recipe.turn) {
    const turn = equal(perSample("turn"), 1);
    change((t) => where(turn, transpose(t, [0, 1, 3, 2]), t), false);
  }
  if (recipe.gain) {
    const gain = perSample("gain");
    change((t) => mul(t, gain));
  }
  if (recipe.shift) {
    const shift = perSample("shift");
    change((t) => add(t, shift));
  }
  if (isDiffusion) {
    const noise = graph.input("noise", outputShape);
    const mix = split(graph.input("mix", [size.batch, 4]), [1, 1, 1, 1], 1).map(column);
    const clean = recipe.residual ? mul(sub(target, x), recipe.residual) : target;
    const noisy = add(mul(clean, mix[0]!), mul(noise, mix[1]!));
    x = recipe.isConditional ? concat([noisy, x], 1) : noisy;
    target = add(mul(clean, mix[2]!), mul(noise, mix[3]!));
  } else if (recipe.noise) x = add(x, mul(graph.input("noise", spec!.shape), recipe.noise));
  if (recipe.task === "unpaired") return addCycles(source, network, { a: x, b: target, weight }, options.loss);
  const inputs: Record<string, Tensor> = { x };
  for (const { name, shape, type } of others) inputs[name] = graph.input(name, shape, type);
  const y = addNetwork(new Scope(source), inputs, network);
  if (options.teacher && source.isTraining) target = taught(x, options.teacher, recipe);
  // blind spots are where the input is not what the target is; elsewhere the network could copy
  const judged = recipe.task === "noise2void" ? where(equal(x, target), target, y) : y;
  const { detail } = options.loss.adversarial ?? {};
  // edges would drown texture
  const shown = (t: Tensor) => (detail ? tanh(mul(sub(t, x), detail)) : t);
  return {
    loss: lossOf(judged, target, weight, options.loss),
    judged: [{ name: "critic", fake: shown(y), real: shown(target) }],
  };
}

/** A discriminator for each of several kinds of images: what they add to the network's loss, their own loss, and their parameters. */
function addCritics(graph: Graph, judged: readonly Judged[], network: NetworkDescription, isLeastSquares: boolean) {
  const { shape } = judged[0]!.fake;
  const own = summarize(network, { batch: shape[0]!, size: shape.slice(2) });
  const named = (specs: readonly ParameterSpec[]) =>
    judged.flatMap((j) => specs.map((spec) => ({ ...spec, name: `${j.name}.${spec.name}` })));
  const [parameters, buffers] = [named(own.parameterSpecs), named(own.bufferSpecs)];
  const vector = graph.input("critic", [lengthOf(parameters)]);
  // they are only ever used on batches, so nobody needs their running statistics
  const idle = lengthOf(buffers);
  const vectors = {
    parameters: vector,
    buffers: idle > 0 ? graph.constant(new Float32Array(idle), [idle]) : undefined,
  };
  const source = new VectorSource(vectors, { parameters, buffers }, { isTraining: true });
  const [isReal, isFake] = isLeastSquares ? [realSquares, fakeSquares] : [realLoss, fakeLoss];
  const mean = (t: Tensor) => reduceMean(t, [0]);
  const terms = judged.map(({ name, fake, real }) => {
    const logits = (x: Tensor) => addNetwork(new Scope(source).in(name), { x }, network);
    const [ofFake, ofReal] = [logits(fake), logits(real)];
    return { own: mul(add(mean(isReal(ofReal)), mean(isFake(ofFake))), 0.5), fooled: mean(isReal(ofFake)) };
  });
  return {
    vector,
    parameters,
    source,
    own: sum(...terms.map((t) => t.own)),
    fooled: sum(...terms.map((t) => t.fooled)),
  };
}

interface Frame {
  readonly source: VectorSource;
  readonly parameters: readonly ParameterSpec[];
  readonly buffers: readonly ParameterSpec[];
  readonly vectors: { readonly parameters: Tensor; readonly buffers: Tensor | undefined };
  readonly targetShape: readonly number[];
}

function frame(name: string, options: StepGraphOptions, isTraining: boolean): Frame {
  const { network, size, frugal = false, recipe } = options;
  const { parameterSpecs, bufferSpecs, outputShape: targetShape } = summarize(network, size);
  const isBoth = recipe?.task === "unpaired";
  const [parameters, buffers] = [parameterSpecs, bufferSpecs].map((specs) => (isBoth ? ofBoth(specs) : specs)) as [
    readonly ParameterSpec[],
    readonly ParameterSpec[],
  ];
  const graph = new Graph(name);
  const vectors = {
    parameters: graph.input("parameters", [lengthOf(parameters)]),
    buffers: buffers.length > 0 ? graph.input("buffers", [lengthOf(buffers)]) : undefined,
  };
  const source = new VectorSource(vectors, { parameters, buffers }, { isTraining, isFrugal: frugal });
  return { source, parameters, buffers, vectors, targetShape };
}

/** The model that computes the loss as the network will be used. */
export function lossGraph(options: StepGraphOptions): Uint8Array<ArrayBuffer> {
  const { source, targetShape } = frame("loss", options, false);
  // validation samples lie straight
  const recipe = { ...options.recipe, warp: undefined };
  source.graph.output("loss", addLoss(source, { ...options, recipe }, targetShape).loss);
  return writeOnnx(source.graph);
}

/** Builds the model of a training step. Throws ERR_SINO_SHAPE where sizes and network do not fit. */
export function stepGraph(options: StepGraphOptions): StepGraph {
  const { source, parameters, buffers, vectors, targetShape } = frame("step", options, true);
  const { graph } = source;
  const vector = (name: string) => graph.input(name, [lengthOf(parameters)]);
  const state = { parameters: vectors.parameters, first: vector("first"), second: vector("second") };
  const rates = {
    rate: graph.input("rate", []),
    correction1: graph.input("correction1", []),
    correction2: graph.input("correction2", []),
  };
  const losses = addLoss(source, options, targetShape);
  const { adversarial } = options.loss;
  const isLeastSquares = options.recipe?.task === "unpaired";
  const critic = adversarial && addCritics(graph, losses.judged, adversarial.network, isLeastSquares);
  const loss = critic ? add(losses.loss, mul(critic.fooled, adversarial.weight)) : losses.loss;
  const scale = options.half ? graph.input("scale", []) : undefined;
  const slope = (of: Tensor, by: VectorSource) => (scale ? div(slopeOf(mul(of, scale), by), scale) : slopeOf(of, by));
  const updated = adamStep(state, slope(loss, source), rates, options.optimizer);
  let { norm } = updated;
  graph.output("next_parameters", updated.parameters);
  graph.output("next_first", updated.first);
  graph.output("next_second", updated.second);
  if (options.average)
    graph.output("next_average", averaged(vector("average"), updated.parameters, graph.input("keep", [])));
  if (buffers.length > 0) {
    const next = buffers.map(({ name }) => reshape(source.updates.get(name)!, [-1]));
    graph.output("next_buffers", concat(next, 0));
  }
  if (critic) {
    const moment = (name: string) => graph.input(name, critic.vector.shape);
    const before = { parameters: critic.vector, first: moment("criticFirst"), second: moment("criticSecond") };
    const after = adamStep(before, slope(critic.own, critic.source), rates, options.optimizer);
    graph.output("next_critic", after.parameters);
    graph.output("next_criticFirst", after.first);
    graph.output("next_criticSecond", after.second);
    graph.output("criticLoss", critic.own);
    // what overflows in the discriminator's gradient has to be seen, too
    if (scale) norm = add(norm, mul(after.norm, 0));
  }
  graph.output("loss", loss);
  graph.output("norm", norm);
  return {
    model: writeOnnx(graph, { half: options.half }),
    parameters,
    buffers,
    critic: critic?.parameters ?? [],
    targetShape,
  };
}

/** The gradient of a loss by a network's parameters, one after the other. */
const slopeOf = (loss: Tensor, { parameters }: VectorSource): Tensor =>
  concat(
    gradients(loss, [...parameters.values()]).map((t) => reshape(t, [-1])),
    0,
  );
