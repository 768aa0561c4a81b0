/**
 * Convolutions over one to three axes, with stride, dilation, padding and groups: x [N, C, …], weight [K, C/groups, …],
 * as PyTorch and ONNX keep them.
 *
 * The gradients are written as onnxruntime's CPU kernels run them fastest:
 * - by x: for stride 1 a convolution of dy with the weight turned around, else a transposed convolution;
 * - by the weight: products of matrices. Element (k, c, i, j) is Σ dy[k, p, q] · x[c, p + i, q + j]. The shift j along the
 *   last axis is made on copies of x, the shift i along the others on copies of dy, so that for a 3×3 kernel three copies
 *   of each give all nine sums in three products of [3K, L] with [L, C]; a Conv with batch and channels exchanged
 *   computes the same three times slower, unfolding x needs nine copies.
 */
import { sizeOf } from "../../core/arrays.ts";
import { apply } from "../graph.ts";
import { defineOperation } from "../operation.ts";
import { type Attributes, misfit, type Tensor } from "../tensor.ts";
import { concat, flip, pad, reshape, slice, transpose, transposeLast } from "./layout.ts";
import { matmul } from "./matmul.ts";
import { reduceSum } from "./reduce.ts";

export interface ConvOptions {
  readonly bias?: Tensor | undefined;
  /** One number for all axes, or one per axis; default 1. */
  readonly stride?: number | readonly number[];
  /** Zeros on both sides; default 0. "same" keeps the size at stride 1 (odd kernels). */
  readonly padding?: number | readonly number[] | "same";
  readonly dilation?: number | readonly number[];
  readonly groups?: number;
}

export interface ConvTransposeOptions extends Omit<ConvOptions, "padding"> {
  readonly padding?: number | readonly number[];
  readonly outputPadding?: number | readonly number[];
}

/** What a convolution's attributes say, one number per axis. */
interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly groups: number;
}

const perAxis = (value: number | readonly number[] | undefined, rank: number, fallback: number): readonly number[] =>
  typeof value === "object" ? value : new Array<number>(rank).fill(value ?? fallback);

function convAttributes(weight: Tensor, options: ConvOptions): Attributes {
  const kernel = weight.shape.slice(2);
  const rank = kernel.length;
  const dilations = perAxis(options.dilation, rank, 1);
  const padding =
    options.padding === "same"
      ? kernel.map((k, i) => (dilations[i]! * (k - 1)) / 2)
      : perAxis(options.padding, rank, 0);
  return {
    kernel_shape: kernel,
    strides: perAxis(options.stride, rank, 1),
    dilations,
    pads: [...padding, ...padding],
    group: options.groups ?? 1,
  };
}

/** y[n, k, p] = bias[k] + Σ x[n, c, stride·p + dilation·i − padding] · weight[k, c, i]. */
export function conv(x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  return apply("Conv", options.bias ? [x, weight, options.bias] : [x, weight], convAttributes(weight, options));
}

/** The adjoint of `conv` with the same weight: x [N, K, …], weight [K, C/groups, …] give [N, C, …]. */
export function convTranspose(x: Tensor, weight: Tensor, options: ConvTransposeOptions = {}): Tensor {
  const attributes = {
    ...convAttributes(weight, options),
    output_padding: perAxis(options.outputPadding, weight.shape.length - 2, 0),
  };
  return apply("ConvTranspose", options.bias ? [x, weight, options.bias] : [x, weight], attributes);
}

function windowOf(attributes: Attributes, weight: Tensor): Window {
  const kernel = weight.shape.slice(2);
  const rank = kernel.length;
  const pads = perAxis(attributes["pads"] as number[] | undefined, 2 * rank, 0);
  return {
    kernel,
    strides: perAxis(attributes["strides"] as number[] | undefined, rank, 1),
    dilations: perAxis(attributes["dilations"] as number[] | undefined, rank, 1),
    before: pads.slice(0, rank),
    after: pads.slice(rank),
    groups: (attributes["group"] as number | undefined) ?? 1,
  };
}

const reach = ({ kernel, dilations }: Window, axis: number) => dilations[axis]! * (kernel[axis]! - 1) + 1;

defineOperation("Conv", {
  infer(inputs, attributes) {
    const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor | undefined];
    const window = windowOf(attributes, weight);
    const { groups, strides, before, after } = window;
    const [n, c, ...size] = x.shape;
    const k = weight.shape[0]!;
    const fits =
      x.shape.length === weight.shape.length &&
      size.length >= 1 &&
      size.length <= 3 &&
      c === weight.shape[1]! * groups &&
      k % groups === 0 &&
      (!bias || (bias.shape.length === 1 && bias.shape[0] === k));
    const out = size.map((m, i) => Math.floor((m + before[i]! + after[i]! - reach(window, i)) / strides[i]!) + 1);
    if (!fits || out.some((m) => m < 1))
      throw misfit("Conv", `x [N, C, …], weight [K, C/${groups}, …] no larger than x, bias [K]`, inputs);
    return [{ type: x.type, shape: [n!, k, ...out] }];
  },
  gradient({ inputs, attributes }, [dy], [wantsX, wantsWeight, wantsBias]) {
    const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor | undefined];
    const window = windowOf(attributes, weight);
    return [
      wantsX ? convByInput(dy!, weight, x.shape.slice(2), window) : undefined,
      wantsWeight ? convByWeight(x, dy!, window) : undefined,
      bias && wantsBias ? sumOverPixels(dy!) : undefined,
    ];
  },
});

defineOperation("ConvTranspose", {
  infer(inputs, attributes) {
    const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor | undefined];
    const window = windowOf(attributes, weight);
    const { groups, strides, before, after } = window;
    const [n, k, ...size] = x.shape;
    const extra = perAxis(attributes["output_padding"] as number[] | undefined, size.length, 0);
    const c = weight.shape[1]! * groups;
    const fits =
      x.shape.length === weight.shape.length &&
      k === weight.shape[0] &&
      k! % groups === 0 &&
      (!bias || (bias.shape.length === 1 && bias.shape[0] === c));
    const out = size.map((m, i) => (m - 1) * strides[i]! - before[i]! - after[i]! + reach(window, i) + extra[i]!);
    if (!fits || out.some((m) => m < 1))
      throw misfit("ConvTranspose", `x [N, K, …], weight [K, C/${groups}, …], bias [C]`, inputs);
    return [{ type: x.type, shape: [n!, c, ...out] }];
  },
  gradient({ inputs, attributes }, [dy], [wantsX, wantsWeight, wantsBias]) {
    const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor | undefined];
    const { output_padding: _, ...rest } = attributes;
    // what output_padding added at the end, the forward convolution leaves out by itself
    const dx = wantsX ? apply("Conv", [dy!, weight], rest) : undefined;
    return [
      dx,
      wantsWeight ? convByWeight(dy!, x, windowOf(attributes, weight)) : undefined,
      bias && wantsBias ? sumOverPixels(dy!) : undefined,
    ];
  },
});

/** [N, C, …] → [C]; the pixels first, in one pass over neighbours. */
export function sumOverPixels(t: Tensor): Tensor {
  const rows = reshape(t, [t.shape[0]!, t.shape[1]!, -1]);
  return reduceSum(reduceSum(rows, [2]), [0]);
}

function convByInput(dy: Tensor, weight: Tensor, size: readonly number[], window: Window): Tensor {
  const { kernel, strides, dilations, before, after, groups } = window;
  const isPlain = strides.every((s) => s === 1) && kernel.every((_, i) => before[i]! < reach(window, i));
  if (!isPlain) {
    const out = dy.shape.slice(2);
    const extra = size.map((m, i) => m - ((out[i]! - 1) * strides[i]! - before[i]! - after[i]! + reach(window, i)));
    const attributes = { kernel_shape: kernel, strides, dilations, pads: [...before, ...after], group: groups };
    return apply("ConvTranspose", [dy, weight], { ...attributes, output_padding: extra });
  }
  const edge = (pads: readonly number[]) => pads.map((n, i) => reach(window, i) - 1 - n);
  const attributes = {
    strides,
    dilations,
    group: groups,
    kernel_shape: kernel,
    pads: [...edge(before), ...edge(after)],
  };
  return apply("Conv", [dy, turned(weight, groups)], attributes);
}

/** The weight of the adjoint: input and output channels of each group exchanged, the kernel reversed. */
function turned(weight: Tensor, groups: number): Tensor {
  const [k, c, ...kernel] = weight.shape;
  const taps = sizeOf(kernel);
  const grouped = reshape(weight, [groups, k! / groups, c!, taps]);
  const exchanged = transpose(flip(grouped, [3]), [0, 2, 1, 3]);
  return reshape(exchanged, [groups * c!, k! / groups, ...kernel]);
}

/** Σ over batch and pixels of dy[k, p] · x[c, stride·p + dilation·i − padding], as [K, C/groups, …]. */
function convByWeight(x: Tensor, dy: Tensor, window: Window): Tensor {
  const { kernel, strides, dilations, before, groups } = window;
  const out = dy.shape.slice(2);
  const rank = kernel.length;
  // exactly what the windows see: also right where a stride leaves the last pixels out
  const seen = out.map((m, i) => (m - 1) * strides[i]! + reach(window, i));
  const after = seen.map((m, i) => m - x.shape[i + 2]! - before[i]!);
  const padded = pad(x, [0, 0, ...before], [0, 0, ...after]);
  const last = rank - 1;
  const isDense = strides.every((s) => s === 1);
  const byX = isDense ? [last] : [...Array(rank).keys()];
  const byDy = isDense ? [...Array(last).keys()] : [];

  const shiftsX = taps(byX.map((i) => kernel[i]!)).map((tap) =>
    byX.reduce((t, axis, i) => {
      const start = tap[i]! * dilations[axis]!;
      const end = start + (out[axis]! - 1) * strides[axis]! + 1;
      return slice(t, axis + 2, start, end, { step: strides[axis]! });
    }, padded),
  );
  const shiftsDy = taps(byDy.map((i) => kernel[i]!)).map((tap) => {
    const start = byDy.map((axis, i) => tap[i]! * dilations[axis]!);
    const rest = byDy.map((axis, i) => seen[axis]! - out[axis]! - start[i]!);
    return pad(
      dy,
      [0, 0, ...start, ...(byDy.length < rank ? zeros(rank - byDy.length) : [])],
      [0, 0, ...rest, ...zeros(rank - byDy.length)],
    );
  });
  const a = shiftsX.length;
  const b = shiftsDy.length;
  const [n, c] = [x.shape[0]!, x.shape[1]! / groups];
  const k = dy.shape[1]! / groups;
  const rows = (t: Tensor) => reshape(t, [n, groups, t.shape[1]! / groups, -1]);
  const left = concat(shiftsDy.map(rows), 2);
  const products = shiftsX.map((t) => reduceSum(matmul(left, transposeLast(rows(t))), [0]));
  // [G, b, K, a, C] → [G, K, C, b, a]: the shifts of dy are the slower axes of the kernel
  const parts = transpose(reshape(concat(products, 2), [groups, b, k, a, c]), [0, 2, 4, 1, 3]);
  return reshape(parts, [groups * k, c, ...kernel]);
}

const zeros = (n: number) => new Array<number>(n).fill(0);

/** All index tuples below `lengths`, the last index fastest. */
function taps(lengths: readonly number[]): number[][] {
  return lengths.reduce<number[][]>(
    (list, n) => list.flatMap((tap) => [...Array(n).keys()].map((i) => [...tap, i])),
    [[]],
  );
}
