/**
 * Normalisations: y = (x − mean)/√(variance + ε) · scale + bias. They differ in what mean and variance are taken over and in
 * what scale and bias vary along, so one operation serves all: x is viewed as [N, G, C/G, P] (P pixels), `axes` are those
 * of the mean, and scale and bias broadcast to that view. What is kept for the gradient is x − mean and 1/√(variance + ε).
 */
import { defineOperation } from "../operation.ts";
import { broadcast, count, misfit, sameShape, type Tensor } from "../tensor.ts";
import { add, div, mul, neg, sqrt, square, sub, unbroadcast } from "./elementwise.ts";
import { reshape } from "./layout.ts";
import { reduceMean, reduceSum } from "./reduce.ts";

export interface NormOptions {
  readonly scale?: Tensor | undefined;
  readonly bias?: Tensor | undefined;
  readonly epsilon?: number;
}

const pixels = (x: Tensor): number => count(x) / (x.shape[0]! * x.shape[1]!);

function normalize(
  x: Tensor,
  view: readonly number[],
  axes: readonly number[],
  scale: Tensor,
  bias: Tensor,
  epsilon = 1e-5,
) {
  return x.graph.add("Normalize", [x, scale, bias], { view, axes, epsilon });
}

/**
 * Over the pixels and channels of each of `groups` groups, sample by sample. Scale and bias are [C], or [N, C] where they
 * depend on the sample, as with the scale and shift that a time embedding gives.
 */
export function groupNorm(x: Tensor, groups: number, { scale, bias, epsilon }: NormOptions = {}): Tensor {
  const [n, c] = x.shape as [number, number];
  if (c % groups !== 0) throw misfit("GroupNorm", `channels that ${groups} groups share evenly`, [x]);
  const param = (t: Tensor | undefined, fallback: number) => {
    const p = t ?? x.graph.constant(new Float32Array(c).fill(fallback), [c]);
    if (!sameShape(p.shape, [c]) && !sameShape(p.shape, [n, c]))
      throw misfit("GroupNorm", "scale and bias of shape [C] or [N, C]", [x, p]);
    return reshape(p, [p.shape.length === 1 ? 1 : n, groups, c / groups, 1]);
  };
  const view = [n, groups, c / groups, pixels(x)];
  return normalize(x, view, [2, 3], param(scale, 1), param(bias, 0), epsilon)[0]!;
}

/** Over the pixels of each channel of each sample. */
export const instanceNorm = (x: Tensor, options: NormOptions = {}): Tensor => groupNorm(x, x.shape[1]!, options);

/** Over the last axis; scale and bias are as long as it. */
export function layerNorm(x: Tensor, { scale, bias, epsilon }: NormOptions = {}): Tensor {
  const d = x.shape.at(-1)!;
  const param = (t: Tensor | undefined, fallback: number) => {
    const p = t ?? x.graph.constant(new Float32Array(d).fill(fallback), [d]);
    if (!sameShape(p.shape, [d])) throw misfit("LayerNorm", "scale and bias as long as the last axis", [x, p]);
    return reshape(p, [1, 1, 1, d]);
  };
  return normalize(x, [count(x) / d, 1, 1, d], [3], param(scale, 1), param(bias, 0), epsilon)[0]!;
}

export interface BatchNormResult {
  readonly y: Tensor;
  /** Of this batch, [C]; the variance is the unbiased one, as running statistics want it. */
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** As in training: over batch and pixels of each channel, with the statistics of this batch. */
export function batchNorm(x: Tensor, { scale, bias, epsilon }: NormOptions = {}): BatchNormResult {
  const [n, c] = x.shape as [number, number];
  const p = pixels(x);
  const param = (t: Tensor | undefined, fallback: number) =>
    reshape(t ?? x.graph.constant(new Float32Array(c).fill(fallback), [c]), [1, 1, c, 1]);
  const [y, , , mean, variance] = normalize(x, [n, 1, c, p], [0, 3], param(scale, 1), param(bias, 0), epsilon);
  const unbiased = mul(reshape(variance!, [c]), (n * p) / Math.max(n * p - 1, 1));
  return { y: y!, mean: reshape(mean!, [c]), variance: unbiased };
}

/** As in use: with stored statistics, one product and one sum per pixel. */
export function foldedBatchNorm(
  x: Tensor,
  statistics: { readonly mean: Tensor; readonly variance: Tensor },
  { scale, bias, epsilon = 1e-5 }: NormOptions = {},
): Tensor {
  const column = (t: Tensor) => reshape(t, [x.shape[1]!, ...x.shape.slice(2).map(() => 1)]);
  const inverse = div(1, sqrt(add(statistics.variance, epsilon)));
  const a = scale ? mul(scale, inverse) : inverse;
  const shift = neg(mul(statistics.mean, a));
  return add(mul(x, column(a)), column(bias ? add(bias, shift) : shift));
}

const keep = { keep: true };

defineOperation("Normalize", {
  infer([x, scale, bias], { view, axes }) {
    const full = view as readonly number[];
    const stats = full.map((n, axis) => ((axes as readonly number[]).includes(axis) ? 1 : n));
    for (const t of [scale!, bias!])
      if (!sameShape(broadcast([t.shape, full]) ?? [], full))
        throw misfit("Normalize", `scale and bias that broadcast to [${full.join(", ")}]`, [x, scale, bias]);
    const type = x!.type;
    return [x!.shape, full, stats, stats, stats].map((shape) => ({ type, shape }));
  },
  lower([x, scale, bias], { view, axes, epsilon }) {
    const rows = reshape(x!, view as number[]);
    const over = axes as number[];
    const mean = reduceMean(rows, over, keep);
    const centred = sub(rows, mean);
    const variance = reduceMean(square(centred), over, keep);
    const inverse = div(1, sqrt(add(variance, epsilon as number)));
    const y = add(mul(centred, mul(inverse, scale!)), bias!);
    return [reshape(y, x!.shape), centred, inverse, mean, variance];
  },
  // dx = (s dy − mean(s dy) − x̂ mean(s dy x̂)) / σ with x̂ = centred/σ
  gradient({ inputs, outputs, attributes }, [dy], [wantsX, wantsScale, wantsBias]) {
    const [x, scale, bias] = inputs as [Tensor, Tensor, Tensor];
    if (!dy) return []; // mean and variance are given out as statistics, which nothing trains through
    const [, centred, inverse] = outputs as [Tensor, Tensor, Tensor];
    const view = attributes["view"] as number[];
    const axes = attributes["axes"] as number[];
    const perPixel = scale.shape[3] !== 1;
    // sums over pixels first where scale does not vary along them: then everything else is small
    const short = (t: Tensor) => (perPixel ? t : reduceSum(t, [3], keep));
    const d = reshape(dy, view);
    const p = short(d);
    const q = mul(short(mul(d, centred)), inverse);
    const all = (t: Tensor) => reduceSum(mul(t, scale), perPixel ? axes : axes.filter((a) => a !== 3), keep);
    const dx = () => {
      const n = axes.reduce((product, axis) => product * view[axis]!, 1);
      const shift = mul(mul(all(p), inverse), -1 / n);
      const slope = mul(mul(all(q), square(inverse)), -1 / n);
      return reshape(add(add(mul(d, mul(inverse, scale)), mul(centred, slope)), shift), x.shape);
    };
    return [
      wantsX ? dx() : undefined,
      wantsScale ? unbroadcast(q, scale.shape) : undefined,
      wantsBias ? unbroadcast(p, bias.shape) : undefined,
    ];
  },
});
