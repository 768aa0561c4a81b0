/** Softmax along an axis, and attention, which is made of it. */
import { apply } from "../graph.ts";
import { defineOperation } from "../operation.ts";
import { misfit, type Tensor } from "../tensor.ts";
import { exp, mul, sub } from "./elementwise.ts";
import { transposeLast } from "./layout.ts";
import { matmul } from "./matmul.ts";
import { reduceSum } from "./reduce.ts";

const normal = (x: Tensor, axis: number) => (axis < 0 ? axis + x.shape.length : axis);

export const softmax = (x: Tensor, axis = -1): Tensor => apply("Softmax", [x], { axis: normal(x, axis) });
export const logSoftmax = (x: Tensor, axis = -1): Tensor => apply("LogSoftmax", [x], { axis: normal(x, axis) });

const sumAlong = (t: Tensor, axis: number) => reduceSum(t, [axis], { keep: true });

defineOperation("Softmax", {
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  gradient({ outputs, attributes }, [dy]) {
    const p = mul(dy!, outputs[0]!);
    return [sub(p, mul(outputs[0]!, sumAlong(p, attributes["axis"] as number)))];
  },
});

defineOperation("LogSoftmax", {
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  gradient: ({ outputs, attributes }, [dy]) => [
    sub(dy!, mul(exp(outputs[0]!), sumAlong(dy!, attributes["axis"] as number))),
  ],
});

/** softmax(q kᵀ/√d) v with queries […, L, d], keys […, S, d] and values […, S, e]; heads are a leading axis. */
export function attention(q: Tensor, k: Tensor, v: Tensor): Tensor {
  if (q.shape.at(-1) !== k.shape.at(-1) || k.shape.at(-2) !== v.shape.at(-2))
    throw misfit("Attention", "queries […, L, d], keys […, S, d], values […, S, e]", [q, k, v]);
  const scaled = mul(q, 1 / Math.sqrt(q.shape.at(-1)!));
  return matmul(softmax(matmul(scaled, transposeLast(k))), v);
}
