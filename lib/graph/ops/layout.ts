/** The same values elsewhere: other shapes, other order, parts, edges. Negative axes count from the last. */
import { sizeOf } from "../../core/arrays.ts";
import { apply } from "../graph.ts";
import { defineOperation } from "../operation.ts";
import { broadcast, count, misfit, sameShape, type Tensor } from "../tensor.ts";
import { unbroadcast } from "./elementwise.ts";

/** The values row-major in another shape; one length may be −1: what is left. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const known = sizeOf(shape.filter((n) => n !== -1));
  const full = shape.map((n) => (n === -1 ? count(x) / known : n));
  return sameShape(full, x.shape) ? x : apply("Reshape", [x], { shape: full });
}

/** Axis i of the result is axis order[i] of x. */
export function transpose(x: Tensor, order: readonly number[]): Tensor {
  return order.every((axis, i) => axis === i) ? x : apply("Transpose", [x], { perm: order });
}

/** The last two axes exchanged. */
export function transposeLast(x: Tensor): Tensor {
  const rank = x.shape.length;
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

export function expand(x: Tensor, shape: readonly number[]): Tensor {
  return sameShape(x.shape, shape) ? x : apply("Expand", [x], { shape });
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 1) return parts[0]!;
  return apply("Concat", parts, { axis: axis < 0 ? axis + parts[0]!.shape.length : axis });
}

export interface SliceOptions {
  readonly step?: number;
}

/** Elements start, start + step, … below end along one axis. */
export function slice(x: Tensor, axis: number, start: number, end: number, { step = 1 }: SliceOptions = {}): Tensor {
  const a = axis < 0 ? axis + x.shape.length : axis;
  if (start === 0 && step === 1 && end === x.shape[a]) return x;
  return apply("Slice", [x], { starts: [start], ends: [end], axes: [a], steps: [step] });
}

/** Cuts x along an axis into parts of the given lengths. */
export function split(x: Tensor, lengths: readonly number[], axis: number): readonly Tensor[] {
  const a = axis < 0 ? axis + x.shape.length : axis;
  return lengths.length === 1 ? [x] : x.graph.add("Split", [x], { split: lengths, axis: a });
}

/** Zeros (or `mode`) around: `before[i]` and `after[i]` elements on axis i; negative numbers cut off. */
export function pad(
  x: Tensor,
  before: readonly number[],
  after: readonly number[],
  mode: "constant" | "reflect" | "edge" = "constant",
): Tensor {
  if ([...before, ...after].every((n) => n === 0)) return x;
  return apply("Pad", [x], { pads: [...before, ...after], mode });
}

/** Rows of x along an axis, by an integer tensor of indices: `gather(table, ids)` is an embedding. */
export const gather = (x: Tensor, indices: Tensor, axis = 0): Tensor => apply("Gather", [x, indices], { axis });

defineOperation("Reshape", {
  infer([x], { shape }) {
    const wanted = shape as readonly number[];
    if (sizeOf(wanted) !== count(x!) || wanted.some((n) => !Number.isSafeInteger(n)))
      throw misfit("Reshape", `${sizeOf(wanted)} values for shape [${wanted.join(", ")}]`, [x]);
    return [{ type: x!.type, shape: wanted }];
  },
  gradient: ({ inputs }, [dy]) => [reshape(dy!, inputs[0]!.shape)],
  inputAttributes: { operands: 1, names: ["shape"] },
});

defineOperation("Transpose", {
  infer([x], { perm }) {
    const order = perm as readonly number[];
    if ([...order].sort((a, b) => a - b).join() !== x!.shape.map((_, axis) => axis).join())
      throw misfit("Transpose", `an operand of ${order.length} axes for the order [${order.join(", ")}]`, [x]);
    return [{ type: x!.type, shape: order.map((axis) => x!.shape[axis]!) }];
  },
  gradient({ attributes }, [dy]) {
    const order = attributes["perm"] as readonly number[];
    return [
      transpose(
        dy!,
        order.map((_, axis) => order.indexOf(axis)),
      ),
    ];
  },
});

defineOperation("Expand", {
  infer([x], { shape }) {
    const full = broadcast([x!.shape, shape as readonly number[]]);
    if (!full) throw misfit("Expand", `a shape that broadcasts to [${(shape as number[]).join(", ")}]`, [x]);
    return [{ type: x!.type, shape: full }];
  },
  gradient: ({ inputs }, [dy]) => [unbroadcast(dy!, inputs[0]!.shape)],
  inputAttributes: { operands: 1, names: ["shape"] },
});

defineOperation("Concat", {
  infer(inputs, { axis }) {
    const parts = inputs as readonly Tensor[];
    const first = parts[0]!;
    const fits = (t: Tensor) =>
      t.type === first.type &&
      t.shape.length === first.shape.length &&
      t.shape.every((n, i) => i === axis || n === first.shape[i]);
    if (!parts.every(fits)) throw misfit("Concat", `shapes that differ along axis ${axis} only`, parts);
    const total = parts.reduce((n, t) => n + t.shape[axis as number]!, 0);
    return [{ type: first.type, shape: first.shape.map((n, i) => (i === axis ? total : n)) }];
  },
  gradient({ inputs, attributes }, [dy]) {
    const axis = attributes["axis"] as number;
    return [
      ...split(
        dy!,
        inputs.map((t) => t!.shape[axis]!),
        axis,
      ),
    ];
  },
});

defineOperation("Split", {
  infer([x], { split: lengths, axis }) {
    const parts = lengths as readonly number[];
    if (parts.reduce((a, b) => a + b, 0) !== x!.shape[axis as number])
      throw misfit("Split", `parts [${parts.join(", ")}] that make up axis ${axis}`, [x]);
    return parts.map((n) => ({ type: x!.type, shape: x!.shape.map((m, i) => (i === axis ? n : m)) }));
  },
  gradient({ outputs, attributes }, dys) {
    const zero = (t: Tensor) => expand(t.graph.scalar(0), t.shape);
    return [
      concat(
        dys.map((dy, i) => dy ?? zero(outputs[i]!)),
        attributes["axis"] as number,
      ),
    ];
  },
  inputAttributes: { operands: 1, names: ["split"] },
});

/** First element and number of elements that a slice takes of an axis of length n. */
function span(n: number, start: number, end: number, step: number): { first: number; taken: number } {
  const at = (i: number, low: number, high: number) => Math.min(Math.max(i < 0 ? i + n : i, low), high);
  const first = step > 0 ? at(start, 0, n) : at(start, 0, n - 1);
  const last = step > 0 ? at(end, 0, n) : end < -n ? -1 : at(end, -1, n - 1);
  return { first, taken: Math.max(0, Math.ceil((last - first) / step)) };
}

type SliceAttributes = { starts: number[]; ends: number[]; axes: number[]; steps: number[] };

defineOperation("Slice", {
  infer([x], attributes) {
    const { starts, ends, axes, steps } = attributes as unknown as SliceAttributes;
    const shape = [...x!.shape];
    axes.forEach((axis, i) => {
      if (axis < 0 || axis >= shape.length) throw misfit("Slice", `an operand with axis ${axis}`, [x]);
      shape[axis] = span(shape[axis]!, starts[i]!, ends[i]!, steps[i]!).taken;
    });
    return [{ type: x!.type, shape }];
  },
  gradient({ inputs, outputs, attributes }, [dy]) {
    const { starts, ends, axes, steps } = attributes as unknown as SliceAttributes;
    const x = inputs[0]!;
    let dx = dy!;
    axes.forEach((axis, i) => {
      const step = steps[i]!;
      const { first, taken } = span(x.shape[axis]!, starts[i]!, ends[i]!, step);
      const stride = Math.abs(step);
      if (step < 0) dx = flip(dx, [axis]);
      if (stride > 1) dx = spread(dx, axis, stride);
      const before = step > 0 ? first : first + step * (taken - 1);
      const edges = (n: number) => x.shape.map((_, a) => (a === axis ? n : 0));
      dx = pad(dx, edges(before), edges(x.shape[axis]! - before - dx.shape[axis]!));
    });
    void outputs;
    return [dx];
  },
  inputAttributes: { operands: 1, names: ["starts", "ends", "axes", "steps"] },
});

/** The values in the opposite order along some axes. */
export function flip(x: Tensor, axes: readonly number[]): Tensor {
  const list = axes.filter((axis) => x.shape[axis]! > 1);
  if (list.length === 0) return x;
  const all = (n: number) => list.map(() => n);
  return apply("Slice", [x], { starts: all(-1), ends: all(-(2 ** 31)), axes: list, steps: all(-1) });
}

/** step − 1 zeros between neighbours along an axis. */
function spread(x: Tensor, axis: number, step: number): Tensor {
  const shape = [...x.shape];
  const inner = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const edge = inner.map((_, i) => (i === axis + 1 ? step - 1 : 0));
  const zeros = inner.map(() => 0);
  const long = shape.map((n, i) => (i === axis ? n * step : n));
  return slice(reshape(pad(reshape(x, inner), zeros, edge), long), axis, 0, (shape[axis]! - 1) * step + 1);
}

defineOperation("Pad", {
  infer([x], { pads }) {
    const list = pads as readonly number[];
    const rank = x!.shape.length;
    if (list.length !== 2 * rank) throw misfit("Pad", `an operand of ${list.length / 2} axes`, [x]);
    const shape = x!.shape.map((n, axis) => n + list[axis]! + list[rank + axis]!);
    if (shape.some((n) => n < 0))
      throw misfit("Pad", `an operand that pads [${list.join(", ")}] leave something of`, [x]);
    return [{ type: x!.type, shape }];
  },
  gradient({ inputs, attributes }, [dy]) {
    const rank = inputs[0]!.shape.length;
    const pads = attributes["pads"] as readonly number[];
    if (attributes["mode"] !== undefined && attributes["mode"] !== "constant")
      return [foldPad(dy!, inputs[0]!, pads, attributes["mode"] as "reflect" | "edge")];
    const inverse = pads.map((n) => -n);
    return [pad(dy!, inverse.slice(0, rank), inverse.slice(rank))];
  },
  inputAttributes: { operands: 1, names: ["pads"] },
});

/** The gradient of padding by copies: what lies outside is added to what it was copied from. */
function foldPad(dy: Tensor, x: Tensor, pads: readonly number[], mode: "reflect" | "edge"): Tensor {
  const rank = x.shape.length;
  let dx = dy;
  for (let axis = 0; axis < rank; axis++) {
    const before = pads[axis]!;
    const after = pads[rank + axis]!;
    if (before === 0 && after === 0) continue;
    const n = x.shape[axis]!;
    const table = new Float32Array((before + n + after) * n);
    for (let i = 0; i < before + n + after; i++) table[i * n + source(i - before, n, mode)] = 1;
    dx = alongAxis(dx, axis, x.graph.constant(table, [before + n + after, n]));
  }
  return dx;
}

function source(i: number, n: number, mode: "reflect" | "edge"): number {
  if (mode === "edge") return Math.min(Math.max(i, 0), n - 1);
  const period = Math.max(2 * (n - 1), 1);
  const j = ((i % period) + period) % period;
  return j < n ? j : period - j;
}

/** Multiplies the axis by a matrix: y[…, j, …] = Σᵢ x[…, i, …] · matrix[i, j]. */
export function alongAxis(x: Tensor, axis: number, matrix: Tensor): Tensor {
  const rank = x.shape.length;
  const order = [...Array(rank).keys()].filter((a) => a !== axis).concat(axis);
  const back = order.map((_, a) => order.indexOf(a));
  return transpose(apply("MatMul", [transpose(x, order), matrix]), back);
}

defineOperation("Gather", {
  infer([x, indices], { axis }) {
    const a = axis as number;
    if (a < 0 || a >= x!.shape.length || !/^int/.test(indices!.type))
      throw misfit("Gather", `a table with axis ${a} and integer indices`, [x, indices]);
    return [{ type: x!.type, shape: [...x!.shape.slice(0, a), ...indices!.shape, ...x!.shape.slice(a + 1)] }];
  },
  // each row of the table gets the gradients of all places that took it: ScatterElements' rows, added
  gradient({ inputs, attributes }, [dy]) {
    const [x, indices] = inputs as [Tensor, Tensor];
    const axis = attributes["axis"] as number;
    const rank = x.shape.length;
    const n = count(indices);
    const front = [axis, ...[...Array(rank).keys()].filter((a) => a !== axis)];
    const rows = transpose(reshape(dy!, [...x.shape.slice(0, axis), n, ...x.shape.slice(axis + 1)]), front);
    const table = front.map((a) => x.shape[a]!);
    const zeros = expand(x.graph.scalar(0), table);
    const sums = apply("ScatterND", [zeros, reshape(indices, [n, 1]), rows], { reduction: "add" });
    return [
      transpose(
        sums,
        front.map((_, a) => front.indexOf(a)),
      ),
      undefined,
    ];
  },
});

defineOperation("ScatterND", { infer: ([x]) => [{ type: x!.type, shape: x!.shape }] });
