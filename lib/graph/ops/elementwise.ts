/**
 * Element by element, with NumPy's broadcasting. The gradient by an operand that was broadcast is summed over the axes
 * along which it was repeated.
 */
import { apply } from "../graph.ts";
import { defineOperation } from "../operation.ts";
import { broadcast, type ElementType, misfit, type Node, type Spec, sameShape, type Tensor } from "../tensor.ts";
import { reshape } from "./layout.ts";
import { reduceSum } from "./reduce.ts";

type Operand = Tensor | number;

const operand = (like: Tensor, value: Operand): Tensor =>
  typeof value === "number" ? like.graph.scalar(value) : value;

function binary(type: string, a: Operand, b: Operand): Tensor {
  const tensor = (typeof a === "number" ? b : a) as Tensor;
  return apply(type, [operand(tensor, a), operand(tensor, b)]);
}

export const add = (a: Operand, b: Operand): Tensor => binary("Add", a, b);
export const sub = (a: Operand, b: Operand): Tensor => binary("Sub", a, b);
export const mul = (a: Operand, b: Operand): Tensor => binary("Mul", a, b);
export const div = (a: Operand, b: Operand): Tensor => binary("Div", a, b);
export const pow = (a: Operand, b: Operand): Tensor => binary("Pow", a, b);
export const max = (a: Operand, b: Operand): Tensor => binary("Max", a, b);
export const min = (a: Operand, b: Operand): Tensor => binary("Min", a, b);
export const greater = (a: Operand, b: Operand): Tensor => binary("Greater", a, b);
export const less = (a: Operand, b: Operand): Tensor => binary("Less", a, b);
export const equal = (a: Operand, b: Operand): Tensor => binary("Equal", a, b);
export const neg = (x: Tensor): Tensor => apply("Neg", [x]);
export const exp = (x: Tensor): Tensor => apply("Exp", [x]);
export const log = (x: Tensor): Tensor => apply("Log", [x]);
export const sqrt = (x: Tensor): Tensor => apply("Sqrt", [x]);
export const abs = (x: Tensor): Tensor => apply("Abs", [x]);
export const sign = (x: Tensor): Tensor => apply("Sign", [x]);
export const erf = (x: Tensor): Tensor => apply("Erf", [x]);
export const sin = (x: Tensor): Tensor => apply("Sin", [x]);
export const cos = (x: Tensor): Tensor => apply("Cos", [x]);
export const identity = (x: Tensor): Tensor => apply("Identity", [x]);
export const square = (x: Tensor): Tensor => mul(x, x);

/** `yes` where `condition` holds, else `no`. */
export const where = (condition: Tensor, yes: Operand, no: Operand): Tensor =>
  apply("Where", [condition, operand(condition, yes), operand(condition, no)]);

/** Booleans as zeros and ones, or numbers in another type. */
export const cast = (x: Tensor, type: ElementType = "float32"): Tensor =>
  x.type === type ? x : apply("Cast", [x], { to: onnxTypes[type] });

/** Limits values to [low, high]; the gradient is zero outside. */
export const clip = (x: Tensor, low: number, high: number): Tensor => min(max(x, low), high);

/** ONNX's numbers of element types (onnx.proto, TensorProto.DataType). */
export const onnxTypes: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

/** The sum of `t` over the axes along which `shape` was repeated to make it. */
export function unbroadcast(t: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(t.shape, shape)) return t;
  const lead = t.shape.length - shape.length;
  const axes = t.shape.flatMap((n, axis) => (axis < lead || (shape[axis - lead] === 1 && n !== 1) ? [axis] : []));
  return reshape(axes.length > 0 ? reduceSum(t, axes) : t, shape);
}

const broadcasting =
  (type: string, result?: ElementType) =>
  (inputs: readonly (Tensor | undefined)[]): Spec[] => {
    const given = inputs as readonly Tensor[];
    const shape = broadcast(given.map((t) => t.shape));
    if (!shape) throw misfit(type, "shapes that broadcast", given);
    const operands = type === "Where" ? given.slice(1) : given;
    if (operands.some((t) => t.type !== operands[0]!.type)) throw misfit(type, "operands of one type", given);
    return [{ type: result ?? operands[0]!.type, shape }];
  };

type Partial2 = (a: Tensor, b: Tensor, y: Tensor, dy: Tensor) => Tensor;

function defineBinary(type: string, byA: Partial2, byB: Partial2): void {
  defineOperation(type, {
    infer: broadcasting(type),
    gradient({ inputs, outputs }, [dy], [wantsA, wantsB]) {
      const [a, b] = inputs as [Tensor, Tensor];
      const y = outputs[0]!;
      return [
        wantsA ? unbroadcast(byA(a, b, y, dy!), a.shape) : undefined,
        wantsB ? unbroadcast(byB(a, b, y, dy!), b.shape) : undefined,
      ];
    },
  });
}

const self: Partial2 = (_a, _b, _y, dy) => dy;

defineBinary("Add", self, self);
defineBinary("Sub", self, (_a, _b, _y, dy) => neg(dy));
defineBinary(
  "Mul",
  (_a, b, _y, dy) => mul(dy, b),
  (a, _b, _y, dy) => mul(dy, a),
);
defineBinary(
  "Div",
  (_a, b, _y, dy) => div(dy, b),
  (_a, b, y, dy) => neg(div(mul(dy, y), b)),
);
defineBinary(
  "Pow",
  (a, b, _y, dy) => mul(dy, mul(b, pow(a, sub(b, 1)))),
  (a, _b, y, dy) => mul(dy, mul(y, log(a))),
);
// where both are equal, the second takes the gradient
defineBinary(
  "Max",
  (a, b, _y, dy) => mul(dy, cast(greater(a, b))),
  (a, b, _y, dy) => sub(dy, mul(dy, cast(greater(a, b)))),
);
defineBinary(
  "Min",
  (a, b, _y, dy) => mul(dy, cast(less(a, b))),
  (a, b, _y, dy) => sub(dy, mul(dy, cast(less(a, b)))),
);

for (const type of ["Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"])
  defineOperation(type, { infer: broadcasting(type, "bool") });
for (const type of ["And", "Or"]) defineOperation(type, { infer: broadcasting(type, "bool") });

defineOperation("Where", {
  infer: broadcasting("Where"),
  gradient({ inputs }, [dy], [, wantsYes, wantsNo]) {
    const [condition, yes, no] = inputs as [Tensor, Tensor, Tensor];
    const kept = mul(dy!, cast(condition));
    return [
      undefined,
      wantsYes ? unbroadcast(kept, yes.shape) : undefined,
      wantsNo ? unbroadcast(sub(dy!, kept), no.shape) : undefined,
    ];
  },
});

/** Sum of any number of tensors. */
export const sum = (...terms: readonly Tensor[]): Tensor =>
  terms.length === 1 ? terms[0]! : terms.length === 2 ? add(terms[0]!, terms[1]!) : apply("Sum", terms);

defineOperation("Sum", {
  infer: broadcasting("Sum"),
  gradient: ({ inputs }, [dy], wanted) => inputs.map((t, i) => (wanted[i] ? unbroadcast(dy!, t!.shape) : undefined)),
});

const same = ([x]: readonly (Tensor | undefined)[]): Spec[] => [{ type: x!.type, shape: x!.shape }];

type Partial1 = (x: Tensor, y: Tensor, dy: Tensor) => Tensor;

/** An operation on each element by itself. The slope gets input, output and the gradient by the output. */
export function defineUnary(type: string, slope?: Partial1, lower?: (x: Tensor) => Tensor): void {
  defineOperation(type, {
    infer: same,
    ...(slope && { gradient: ({ inputs, outputs }: Node, [dy]) => [slope(inputs[0]!, outputs[0]!, dy!)] }),
    ...(lower && { lower: ([x]) => [lower(x!)] }),
  });
}

defineUnary("Identity", (_x, _y, dy) => dy);
defineUnary("Neg", (_x, _y, dy) => neg(dy));
defineUnary("Exp", (_x, y, dy) => mul(dy, y));
defineUnary("Log", (x, _y, dy) => div(dy, x));
defineUnary("Sqrt", (_x, y, dy) => mul(div(dy, y), 0.5));
defineUnary("Reciprocal", (_x, y, dy) => neg(mul(dy, mul(y, y))));
defineUnary("Abs", (x, _y, dy) => mul(dy, sign(x)));
defineUnary("Sin", (x, _y, dy) => mul(dy, cos(x)));
defineUnary("Cos", (x, _y, dy) => neg(mul(dy, sin(x))));
defineUnary("Erf", (x, _y, dy) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))));
defineUnary("Sign");
defineUnary("Not");
defineUnary("Floor");
defineUnary("Round");

const typeNames = Object.entries(onnxTypes) as [ElementType, number][];

defineOperation("Cast", {
  infer: ([x], { to }) => [{ type: typeNames.find(([, code]) => code === to)![0], shape: x!.shape }],
  gradient: ({ inputs }, [dy]) => [inputs[0]!.type.startsWith("float") ? cast(dy!, inputs[0]!.type) : undefined],
});
