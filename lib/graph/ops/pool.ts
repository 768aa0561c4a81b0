/** Pooling over windows of one to three axes. Padding counts as −∞ for the maximum and as zero for the mean. */
import { sizeOf } from "../../core/arrays.ts";
import { apply } from "../graph.ts";
import { defineOperation } from "../operation.ts";
import { type Attributes, count, misfit, type Spec, type Tensor } from "../tensor.ts";
import { cast, div, equal, mul } from "./elementwise.ts";
import { expand, reshape } from "./layout.ts";
import { upsample } from "./resize.ts";

export interface PoolOptions {
  /** Default: the window, so that windows do not overlap. */
  readonly stride?: number | readonly number[];
  readonly padding?: number | readonly number[];
}

function poolAttributes(x: Tensor, window: number | readonly number[], options: PoolOptions): Attributes {
  const rank = x.shape.length - 2;
  const each = (value: number | readonly number[]) =>
    typeof value === "number" ? new Array<number>(rank).fill(value) : value;
  const padding = each(options.padding ?? 0);
  return { kernel_shape: each(window), strides: each(options.stride ?? window), pads: [...padding, ...padding] };
}

/** The largest value of each window. */
export const maxPool = (x: Tensor, window: number | readonly number[], options: PoolOptions = {}): Tensor =>
  apply("MaxPool", [x], poolAttributes(x, window, options));

/** The mean of each window. */
export const averagePool = (x: Tensor, window: number | readonly number[], options: PoolOptions = {}): Tensor =>
  apply("AveragePool", [x], { ...poolAttributes(x, window, options), count_include_pad: 1 });

type Pool = { kernel_shape: number[]; strides: number[]; pads: number[] };

const poolOf = (attributes: Attributes) => attributes as unknown as Pool;

function pooled(type: string, x: Tensor, attributes: Attributes): Spec {
  const { kernel_shape, strides, pads } = poolOf(attributes);
  const rank = x.shape.length - 2;
  const out = x.shape
    .slice(2)
    .map((n, i) => Math.floor((n + pads[i]! + pads[rank + i]! - kernel_shape[i]!) / strides[i]!) + 1);
  if (rank !== kernel_shape.length || out.some((n) => n < 1))
    throw misfit(type, `an operand that windows of [${kernel_shape.join(", ")}] fit into`, [x]);
  return { type: x.type, shape: [...x.shape.slice(0, 2), ...out] };
}

const isTiling = ({ kernel_shape, strides, pads }: Pool, size: readonly number[]) =>
  kernel_shape.every((k, i) => k === strides[i] && size[i]! % k === 0) && pads.every((n) => n === 0);

defineOperation("MaxPool", {
  infer: ([x], attributes) => [pooled("MaxPool", x!, attributes)],
  gradient({ inputs, outputs, attributes }, [dy]) {
    const x = inputs[0]!;
    const pool = poolOf(attributes);
    return [isTiling(pool, x.shape.slice(2)) ? byEquality(x, outputs[0]!, dy!, pool) : byIndices(x, dy!, attributes)];
  },
});

/** Windows side by side: the gradient goes to what equals the maximum, shared where several do; faster than indices. */
function byEquality(x: Tensor, y: Tensor, dy: Tensor, { kernel_shape: kernel }: Pool): Tensor {
  const isMaximum = cast(equal(x, upsample(y, kernel)));
  const share = div(dy, mul(averagePool(isMaximum, kernel), sizeOf(kernel)));
  return mul(isMaximum, upsample(share, kernel));
}

/** Windows that overlap: by the maxima's indices, which ONNX counts through the whole tensor. */
function byIndices(x: Tensor, dy: Tensor, attributes: Attributes): Tensor {
  const [, indices] = x.graph.add("MaxPoolIndices", [x], attributes);
  const zeros = expand(x.graph.scalar(0), [count(x)]);
  const flat = (t: Tensor) => reshape(t, [count(t)]);
  const sums = apply("ScatterElements", [zeros, flat(indices!), flat(dy)], { axis: 0, reduction: "add" });
  return reshape(sums, x.shape);
}

defineOperation("MaxPoolIndices", {
  infer([x], attributes) {
    const spec = pooled("MaxPool", x!, attributes);
    return [spec, { type: "int64", shape: spec.shape }];
  },
  lower: ([x], attributes) => {
    const spec = pooled("MaxPool", x!, attributes);
    return [...x!.graph.append("MaxPool", [x], attributes, [spec, { type: "int64", shape: spec.shape }])];
  },
});

defineOperation("ScatterElements", { infer: ([x]) => [{ type: x!.type, shape: x!.shape }] });

defineOperation("AveragePool", {
  infer: ([x], attributes) => [pooled("AveragePool", x!, attributes)],
  gradient({ inputs, attributes }, [dy]) {
    const x = inputs[0]!;
    const pool = poolOf(attributes);
    const { kernel_shape: kernel, strides, pads } = pool;
    const size = x.shape.slice(2);
    const share = 1 / sizeOf(kernel);
    if (isTiling(pool, size)) return [mul(upsample(dy!, kernel), share)];
    // the adjoint of a convolution of each channel with a constant window
    const rank = kernel.length;
    const c = x.shape[1]!;
    const weight = x.graph.constant(new Float32Array(c * sizeOf(kernel)).fill(share), [c, 1, ...kernel]);
    const out = dy!.shape.slice(2);
    const extra = size.map((n, i) => n - ((out[i]! - 1) * strides[i]! - pads[i]! - pads[rank + i]! + kernel[i]!));
    return [
      apply("ConvTranspose", [dy!, weight], { kernel_shape: kernel, strides, pads, group: c, output_padding: extra }),
    ];
  },
});
