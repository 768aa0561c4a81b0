/**
 * The U-Net (Ronneberger et al. 2015, MICCAI) in the form of diffusion models (Ho et al. 2020; Dhariwal & Nichol 2021):
 * residual blocks, group norm whose scale and shift come from an embedding of time and conditions, attention at chosen
 * levels. With `block: "double"` it is the plain one: two convolutions per level, max-pooling, for denoising and
 * segmentation. Two or three axes; neighbouring slices as channels make it 2.5-D.
 */
import * as g from "../graph/index.ts";
import {
  type Activation,
  activate,
  attentionLayer,
  convLayer,
  linearLayer,
  type NormKind,
  normLayer,
} from "./layers.ts";
import type { Scope } from "./scope.ts";

/** Channels of layers that were pruned, by name; the others have their level's. */
export type Widths = Readonly<Record<string, number>>;

export interface UNetDescription {
  readonly kind: "unet";
  /** Axes of the images: 2 (default) or 3. */
  readonly dimensions?: 2 | 3 | undefined;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels of each level, finest first. */
  readonly channels: readonly number[];
  /** Blocks per level; default 2. */
  readonly blocks?: number | undefined;
  /** "residual" (default) or "double". */
  readonly block?: "residual" | "double" | undefined;
  readonly norm?: NormKind | undefined;
  readonly activation?: Activation | undefined;
  /** Levels with attention, 0 the finest. */
  readonly attention?: readonly number[] | undefined;
  readonly heads?: number | undefined;
  /** Takes a time (noise level, timestep) per sample: input `t` [N]. */
  readonly time?: boolean | undefined;
  /** Takes one of so many classes per sample: input `class` [N], the last one meaning none. */
  readonly classes?: number | undefined;
  /** Takes so many numbers per sample (age, dose): input `values` [N, n]. */
  readonly values?: number | undefined;
  /** Attends to a sequence of vectors so wide: input `context` [N, S, width]. */
  readonly context?: number | undefined;
  /** Works on squares (cubes) of so many pixels a side as channels, and gives them back as pixels: 4 makes 512² cost what 128² does. */
  readonly unshuffle?: number | undefined;
  /** The output is added to the input (its first channels). */
  readonly residual?: boolean | undefined;
  /** Inside residual blocks, by their names ("down.0.0"), where there are fewer channels than outside (prune.ts). */
  readonly widths?: Widths | undefined;
}

export type NetworkInputs = Readonly<Record<string, g.Tensor>>;

interface Style {
  readonly block: "residual" | "double";
  readonly norm: NormKind;
  readonly activation: Activation;
  readonly embedding: g.Tensor | undefined;
  readonly widths: Widths;
}

export function unet(scope: Scope, inputs: NetworkInputs, d: UNetDescription): g.Tensor {
  const { channels, blocks = 2, heads = 4, attention = [], unshuffle = 1 } = d;
  const block = d.block ?? "residual";
  const style: Style = {
    block,
    norm: d.norm ?? (block === "residual" ? "group" : "batch"),
    activation: d.activation ?? (block === "residual" ? "silu" : "relu"),
    embedding: embed(scope.in("embedding"), inputs, d),
    widths: d.widths ?? {},
  };
  const context = inputs["context"];
  const attend = (s: Scope, h: g.Tensor, level: number): g.Tensor => {
    if (!attention.includes(level)) return h;
    const own = attentionLayer(s.in("attention"), h, heads);
    return context ? attentionLayer(s.in("cross"), own, heads, context) : own;
  };
  const image = inputs["x"]!;
  const x = unshuffle > 1 ? g.pixelUnshuffle(image, unshuffle) : image;
  let h = block === "residual" ? convLayer(scope.in("first"), x, channels[0]!) : x;
  const skips: g.Tensor[] = [];
  channels.forEach((width, level) => {
    const s = scope.in("down").in(level);
    for (let i = 0; i < blocks; i++) {
      h = attend(s.in(i), convBlock(s.in(i), h, width, style), level);
      if (block === "residual") skips.push(h);
    }
    if (block === "double") skips.push(h);
    if (level < channels.length - 1)
      h = block === "residual" ? convLayer(s.in("down"), h, width, { stride: 2 }) : g.maxPool(h, 2);
  });
  if (block === "residual") {
    const middle = scope.in("middle");
    h = convBlock(middle.in(0), h, channels.at(-1)!, style);
    h = convBlock(middle.in(1), attend(middle.in(0), h, channels.length - 1), channels.at(-1)!, style);
  } else skips.pop();
  for (let level = channels.length - 1; level >= 0; level--) {
    const s = scope.in("up").in(level);
    const width = channels[level]!;
    if (block === "double") {
      if (level === channels.length - 1) continue;
      h = g.concat([skips.pop()!, upConv(s, h, width)], 1);
      for (let i = 0; i < blocks; i++) h = attend(s.in(i), convBlock(s.in(i), h, width, style), level);
      continue;
    }
    for (let i = 0; i < blocks; i++)
      h = attend(s.in(i), convBlock(s.in(i), g.concat([h, skips.pop()!], 1), width, style), level);
    if (level > 0) h = upConv(s, h, channels[level - 1]!);
  }
  if (block === "residual") h = activate(normLayer(scope.in("norm"), h, { kind: style.norm }), style.activation);
  const width = d.outChannels * unshuffle ** (image.shape.length - 2);
  // what is added to the image starts as nothing: without norms anything else begins by unlearning itself
  const gain = d.residual ? 0 : 0.1;
  const last = convLayer(scope.in("last"), h, width, { kernel: block === "residual" ? 3 : 1, gain });
  const y = unshuffle > 1 ? g.pixelShuffle(last, unshuffle) : last;
  return d.residual ? g.add(y, g.slice(image, 1, 0, d.outChannels)) : y;
}

/** One vector per sample out of time and conditions, or nothing. */
function embed(scope: Scope, inputs: NetworkInputs, d: UNetDescription): g.Tensor | undefined {
  const width = 4 * d.channels[0]!;
  const parts: g.Tensor[] = [];
  if (d.time) parts.push(linearLayer(scope.in("time"), waves(inputs["t"]!, d.channels[0]!), width));
  if (d.classes)
    parts.push(g.gather(scope.parameter("classes.weight", [d.classes + 1, width], 0.02), inputs["class"]!));
  if (d.values) parts.push(linearLayer(scope.in("values"), inputs["values"]!, width));
  if (parts.length === 0) return undefined;
  return g.silu(linearLayer(scope.in("out"), g.silu(g.sum(...parts)), width));
}

/** Cosines and sines of t at frequencies from 1 to 1/10000 (Vaswani et al. 2017). */
function waves(t: g.Tensor, width: number): g.Tensor {
  const half = width >> 1;
  const frequencies = Array.from({ length: half }, (_, i) => Math.exp((-Math.log(10000) * i) / half));
  const phase = g.mul(g.reshape(t, [-1, 1]), t.graph.constant(frequencies, [1, half]));
  return g.concat([g.cos(phase), g.sin(phase)], 1);
}

function convBlock(scope: Scope, x: g.Tensor, width: number, style: Style): g.Tensor {
  if (!scope.source.isFrugal) return blockOf(scope, x, width, style);
  const { embedding } = style;
  if (!embedding) return g.checkpoint([x], (x1) => blockOf(scope, x1, width, style));
  return g.checkpoint([x, embedding], (x1, e) => blockOf(scope, x1, width, { ...style, embedding: e }));
}

/**
 * Norm, activation, convolution. For the gradient what stands before the convolution is computed again, which is quick (the convolution is
 * not: nobody asks for its output), so that of three images only the one that goes in is kept.
 */
function normConv(
  scope: Scope,
  i: 1 | 2,
  x: g.Tensor,
  width: number,
  style: Style,
  options: NormConvOptions = {},
): g.Tensor {
  const { norm, activation } = style;
  const { scaleShift, gain = 1 } = options;
  const build = (x1: g.Tensor, more?: g.Tensor) => {
    const h = activate(normLayer(scope.in(`norm${i}`), x1, { kind: norm, scaleShift: more }), activation);
    return convLayer(scope.in(`conv${i}`), h, width, { gain });
  };
  // running statistics are updated once only
  if (scope.source.isFrugal || norm === "batch") return build(x, scaleShift);
  return scaleShift ? g.checkpoint([x, scaleShift], build) : g.checkpoint([x], (x1) => build(x1));
}

interface NormConvOptions {
  readonly scaleShift?: g.Tensor | undefined;
  readonly gain?: number;
}

/** Twice the size by repetition, and a convolution; the larger image is made again for the gradient. */
function upConv(scope: Scope, x: g.Tensor, width: number): g.Tensor {
  const build = (x1: g.Tensor) => convLayer(scope.in("up"), g.upsample(x1), width);
  return scope.source.isFrugal ? build(x) : g.checkpoint([x], build);
}

function blockOf(scope: Scope, x: g.Tensor, width: number, style: Style): g.Tensor {
  const { norm, activation, embedding } = style;
  if (style.block === "double") {
    const first = convLayer(scope.in("conv1"), x, width, { bias: norm === "none" });
    const middle = activate(normLayer(scope.in("norm1"), first, { kind: norm }), activation);
    const second = convLayer(scope.in("conv2"), middle, width, { bias: norm === "none" });
    return activate(normLayer(scope.in("norm2"), second, { kind: norm }), activation);
  }
  const inner = style.widths[scope.name] ?? width;
  const scaleShift = embedding && linearLayer(scope.in("embedding"), embedding, 2 * inner);
  const h = normConv(scope, 1, x, inner, style);
  const y = normConv(scope, 2, h, width, style, { scaleShift, gain: 0.1 });
  return g.add(y, x.shape[1] === width ? x : convLayer(scope.in("skip"), x, width, { kernel: 1 }));
}
