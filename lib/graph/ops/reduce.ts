/** Sums and means over axes. `keep` leaves the axes with length 1; without axes everything is reduced. */
import { apply } from "../graph.ts";
import { defineOperation, type Operation } from "../operation.ts";
import { count, misfit, normalAxes, type Tensor } from "../tensor.ts";
import { div, mul } from "./elementwise.ts";
import { expand, reshape } from "./layout.ts";

export interface ReduceOptions {
  readonly keep?: boolean;
}

const reduction =
  (type: string) =>
  (x: Tensor, axes?: readonly number[], { keep = false }: ReduceOptions = {}): Tensor =>
    apply(type, [x], {
      axes: normalAxes(axes ?? x.shape.map((_, axis) => axis), x.shape.length),
      keepdims: keep ? 1 : 0,
    });

export const reduceSum = reduction("ReduceSum");
export const reduceMean = reduction("ReduceMean");
export const reduceMax = reduction("ReduceMax");
/** The sum of squares. */
export const reduceSumSquare = reduction("ReduceSumSquare");

/** The shape with the reduced axes at length 1: what the result broadcasts with. */
function kept(x: Tensor, axes: readonly number[]): number[] {
  return x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
}

const infer =
  (type: string): Operation["infer"] =>
  ([x], { axes, keepdims }) => {
    const list = axes as readonly number[];
    if (list.some((axis) => axis < 0 || axis >= x!.shape.length))
      throw misfit(type, `axes of its operand for ${JSON.stringify(list)}`, [x]);
    const shape = keepdims === 0 ? x!.shape.filter((_, axis) => !list.includes(axis)) : kept(x!, list);
    return [{ type: x!.type, shape }];
  };

function defineReduction(type: string, slope?: (x: Tensor, y: Tensor, dy: Tensor) => Tensor): void {
  defineOperation(type, {
    infer: infer(type),
    inputAttributes: { operands: 1, names: ["axes"] },
    ...(slope && {
      gradient({ inputs, outputs, attributes }, [dy]) {
        const x = inputs[0]!;
        const shape = kept(x, attributes["axes"] as readonly number[]);
        return [slope(x, reshape(outputs[0]!, shape), reshape(dy!, shape))];
      },
    }),
  });
}

defineReduction("ReduceSum", (x, _y, dy) => expand(dy, x.shape));
defineReduction("ReduceMean", (x, y, dy) => expand(mul(dy, count(y) / count(x)), x.shape));
defineReduction("ReduceSumSquare", (x, _y, dy) => mul(x, mul(dy, 2)));
defineReduction("ReduceL2", (x, y, dy) => mul(x, div(dy, y)));
defineReduction("ReduceMax");
defineReduction("ReduceMin");
