/**
 * Optimisers as graph updates of one long vector.
 * Adam: Kingma & Ba 2015 (ICLR); AdamW: Loshchilov & Hutter 2019 (ICLR); both as PyTorch computes them.
 */
import { add, div, min, mul, reduceSumSquare, sqrt, square, sub, type Tensor } from "../graph/index.ts";

export interface OptimizerOptions {
  /** "adam" (decay added to the gradient) or "adamw" (default; decay of the weights themselves). */
  readonly kind?: "adam" | "adamw" | undefined;
  readonly beta1?: number | undefined;
  readonly beta2?: number | undefined;
  readonly epsilon?: number | undefined;
  /** Weight decay; default 0. */
  readonly decay?: number | undefined;
  /** The gradient is scaled down to this norm where it is longer; default: never. */
  readonly clip?: number | undefined;
}

/** Numbers of one step, fed: learning rate and 1 − βᵗ of both moments. */
export interface StepNumbers {
  readonly rate: Tensor;
  readonly correction1: Tensor;
  readonly correction2: Tensor;
}

export interface Updated {
  readonly parameters: Tensor;
  readonly first: Tensor;
  readonly second: Tensor;
  /** Of the gradient before clipping. */
  readonly norm: Tensor;
}

export function adamStep(
  state: { readonly parameters: Tensor; readonly first: Tensor; readonly second: Tensor },
  gradient: Tensor,
  { rate, correction1, correction2 }: StepNumbers,
  options: OptimizerOptions = {},
): Updated {
  const { kind = "adamw", beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0, clip } = options;
  const norm = sqrt(reduceSumSquare(gradient, [0]));
  let d = clip ? mul(gradient, min(div(clip, add(norm, 1e-6)), 1)) : gradient;
  if (decay > 0 && kind === "adam") d = add(d, mul(state.parameters, decay));
  const first = add(mul(state.first, beta1), mul(d, 1 - beta1));
  const second = add(mul(state.second, beta2), mul(square(d), 1 - beta2));
  const size = add(sqrt(mul(second, div(1, correction2))), epsilon);
  const step = mul(div(first, size), div(rate, correction1));
  const kept = decay > 0 && kind === "adamw" ? mul(state.parameters, sub(1, mul(rate, decay))) : state.parameters;
  return { parameters: sub(kept, step), first, second, norm };
}

/** The two bias corrections of step t = 1, 2, …, in double. */
export const corrections = (t: number, { beta1 = 0.9, beta2 = 0.999 }: OptimizerOptions = {}): [number, number] => [
  1 - beta1 ** t,
  1 - beta2 ** t,
];

/** Exponential moving average of the parameters. */
export const averaged = (average: Tensor, parameters: Tensor, keep: Tensor): Tensor =>
  add(parameters, mul(sub(average, parameters), keep));
