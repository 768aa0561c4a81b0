/** Activations. Slopes are written with the outputs where they can be: inputs are then free earlier. */
import { apply } from "../graph.ts";
import { defineOperation } from "../operation.ts";
import { misfit, type Tensor } from "../tensor.ts";
import { add, cast, defineUnary, erf, exp, greater, mul, sub, unbroadcast } from "./elementwise.ts";

export const relu = (x: Tensor): Tensor => apply("Relu", [x]);
export const leakyRelu = (x: Tensor, alpha = 0.01): Tensor => apply("LeakyRelu", [x], { alpha });
/** x where positive, slope · x elsewhere; the slope broadcasts, e.g. [C, 1, 1]. */
export const prelu = (x: Tensor, slope: Tensor): Tensor => apply("PRelu", [x, slope]);
export const sigmoid = (x: Tensor): Tensor => apply("Sigmoid", [x]);
export const tanh = (x: Tensor): Tensor => apply("Tanh", [x]);
/** x · sigmoid(x), also called Swish. */
export const silu = (x: Tensor): Tensor => apply("Silu", [x]);
/** x · Φ(x) with the normal distribution itself, not its tanh approximation. */
export const gelu = (x: Tensor): Tensor => apply("Gelu", [x]);
/** log(1 + eˣ). */
export const softplus = (x: Tensor): Tensor => apply("Softplus", [x]);

defineUnary("Relu", (_x, y, dy) => mul(dy, cast(greater(y, 0))));
defineUnary("Sigmoid", (_x, y, dy) => mul(dy, mul(y, sub(1, y))));
defineUnary("Tanh", (_x, y, dy) => mul(dy, sub(1, mul(y, y))));
defineUnary("Softplus", (x, _y, dy) => mul(dy, sigmoid(x)));
defineUnary(
  "Silu",
  (x, y, dy) => {
    const s = sigmoid(x);
    return mul(dy, add(s, mul(y, sub(1, s))));
  },
  (x) => mul(x, sigmoid(x)),
);
defineUnary("Gelu", (x, _y, dy) => {
  const normal = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return mul(dy, add(normal, mul(x, density)));
});

defineOperation("LeakyRelu", {
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  // 1 or alpha, from the sign: (1 + alpha)/2 + (1 − alpha)/2 · zero counted as negative
  gradient({ inputs, attributes }, [dy]) {
    const alpha = (attributes["alpha"] as number | undefined) ?? 0.01;
    return [mul(dy!, add(mul(cast(greater(inputs[0]!, 0)), 1 - alpha), alpha))];
  },
});

defineOperation("PRelu", {
  infer([x, slope]) {
    const lead = x!.shape.length - slope!.shape.length;
    if (lead < 0 || slope!.shape.some((n, i) => n !== 1 && n !== x!.shape[lead + i]))
      throw misfit("PRelu", "a slope that broadcasts to the operand", [x, slope]);
    return [{ type: x!.type, shape: x!.shape }];
  },
  gradient({ inputs }, [dy], [wantsX, wantsSlope]) {
    const [x, slope] = inputs as [Tensor, Tensor];
    const positive = cast(greater(x, 0));
    const negative = sub(1, positive);
    return [
      wantsX ? mul(dy!, add(positive, mul(negative, slope))) : undefined,
      wantsSlope ? unbroadcast(mul(dy!, mul(x, negative)), slope.shape) : undefined,
    ];
  },
});
