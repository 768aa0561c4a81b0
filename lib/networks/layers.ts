/** Layers with their parameters: weights start as He et al. 2015 (ICCV) have it, biases at zero. */
import * as g from "../graph/index.ts";
import type { Scope } from "./scope.ts";

export type Activation = "relu" | "leaky-relu" | "silu" | "gelu";
export type NormKind = "group" | "batch" | "none";

export function activate(x: g.Tensor, kind: Activation): g.Tensor {
  if (kind === "relu") return g.relu(x);
  if (kind === "leaky-relu") return g.leakyRelu(x, 0.1);
  return kind === "silu" ? g.silu(x) : g.gelu(x);
}

export interface ConvLayerOptions {
  readonly kernel?: number;
  readonly stride?: number;
  readonly bias?: boolean;
  /** Of the weight's deviation √(2/inputs); 0 starts with a layer that says nothing. */
  readonly gain?: number;
  readonly padding?: number;
}

/** A convolution to `channels`, of the same size at stride 1. */
export function convLayer(scope: Scope, x: g.Tensor, channels: number, options: ConvLayerOptions = {}): g.Tensor {
  const { kernel = 3, stride = 1, gain = 1, bias = true, padding = (kernel - 1) >> 1 } = options;
  const window = x.shape.slice(2).map(() => kernel);
  const inputs = x.shape[1]! * kernel ** window.length;
  const weight = scope.parameter("weight", [channels, x.shape[1]!, ...window], gain * Math.sqrt(2 / inputs));
  return g.conv(x, weight, { stride, padding, bias: bias ? scope.parameter("bias", [channels], 0) : undefined });
}

/** A transposed convolution with a window of `factor`: that many times the size. */
export function upConvLayer(scope: Scope, x: g.Tensor, channels: number, factor = 2): g.Tensor {
  const window = x.shape.slice(2).map(() => factor);
  const weight = scope.parameter("weight", [x.shape[1]!, channels, ...window], Math.sqrt(2 / x.shape[1]!));
  return g.convTranspose(x, weight, { stride: factor, bias: scope.parameter("bias", [channels], 0) });
}

export function linearLayer(scope: Scope, x: g.Tensor, width: number, { gain = 1 } = {}): g.Tensor {
  const inputs = x.shape.at(-1)!;
  const weight = scope.parameter("weight", [width, inputs], gain * Math.sqrt(1 / inputs));
  return g.linear(x, weight, scope.parameter("bias", [width], 0));
}

export interface NormLayerOptions {
  readonly kind?: NormKind;
  /** Most groups; fewer where they do not divide the channels. */
  readonly groups?: number;
  /** [N, 2C]: scale and shift on top of the layer's own (without a norm: alone), from an embedding. */
  readonly scaleShift?: g.Tensor | undefined;
}

export function normLayer(scope: Scope, x: g.Tensor, options: NormLayerOptions = {}): g.Tensor {
  const { kind = "group", groups = 32, scaleShift } = options;
  const c = x.shape[1]!;
  const [more, shift] = scaleShift ? (g.split(scaleShift, [c, c], 1) as [g.Tensor, g.Tensor]) : [];
  const factor = more && g.add(more, 1);
  const modulated = (y: g.Tensor): g.Tensor => {
    if (!factor || !shift) return y;
    const perChannel = (t: g.Tensor) => g.reshape(t, [-1, c, ...y.shape.slice(2).map(() => 1)]);
    return g.add(g.mul(y, perChannel(factor)), perChannel(shift));
  };
  if (kind === "none") return modulated(x);
  const scale = scope.parameter("weight", [c], 0, 1);
  const bias = scope.parameter("bias", [c], 0);
  if (kind === "batch") return modulated(batchNormLayer(scope, x, scale, bias));
  const count = divisor(c, groups);
  if (!factor || !shift) return g.groupNorm(x, count, { scale, bias });
  return g.groupNorm(x, count, { scale: g.mul(factor, scale), bias: g.add(g.mul(factor, bias), shift) });
}

/** The largest number up to `most` that divides n. */
function divisor(n: number, most: number): number {
  for (let d = Math.min(most, n); d > 1; d--) if (n % d === 0) return d;
  return 1;
}

const momentum = 0.1;

function batchNormLayer(scope: Scope, x: g.Tensor, scale: g.Tensor, bias: g.Tensor): g.Tensor {
  const c = x.shape[1]!;
  const mean = scope.buffer("running_mean", [c], 0);
  const variance = scope.buffer("running_var", [c], 1);
  if (!scope.source.isTraining) return g.foldedBatchNorm(x, { mean, variance }, { scale, bias });
  const batch = g.batchNorm(x, { scale, bias });
  const blend = (old: g.Tensor, now: g.Tensor) => g.add(g.mul(old, 1 - momentum), g.mul(now, momentum));
  scope.update("running_mean", blend(mean, batch.mean));
  scope.update("running_var", blend(variance, batch.variance));
  return batch.y;
}

/** Pixels [N, C, …] as a sequence [N, L, C], and back. */
export const toSequence = (x: g.Tensor): g.Tensor =>
  g.transpose(g.reshape(x, [x.shape[0]!, x.shape[1]!, -1]), [0, 2, 1]);

export const toPixels = (sequence: g.Tensor, size: readonly number[]): g.Tensor =>
  g.reshape(g.transpose(sequence, [0, 2, 1]), [sequence.shape[0]!, sequence.shape[2]!, ...size]);

/** Attention from the pixels of x to themselves, or to `context` [N, S, D]; added to x. */
export function attentionLayer(scope: Scope, x: g.Tensor, heads: number, context?: g.Tensor): g.Tensor {
  const [n, c, ...size] = x.shape as [number, number, ...number[]];
  const own = toSequence(normLayer(scope.in("norm"), x));
  const from = context ?? own;
  const split = (t: g.Tensor) => g.transpose(g.reshape(t, [n, t.shape[1]!, heads, c / heads]), [0, 2, 1, 3]);
  const q = split(linearLayer(scope.in("query"), own, c));
  const k = split(linearLayer(scope.in("key"), from, c));
  const v = split(linearLayer(scope.in("value"), from, c));
  const mixed = g.reshape(g.transpose(g.attention(q, k, v), [0, 2, 1, 3]), [n, own.shape[1]!, c]);
  return g.add(x, toPixels(linearLayer(scope.in("out"), mixed, c, { gain: 0 }), size));
}
