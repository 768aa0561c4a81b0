/** Values of a graph: what kind of elements, which shape, who makes them. A tensor here is a name in a graph, not an array. */
import { sizeOf } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { Graph } from "./graph.ts";

export type ElementType = "float32" | "float16" | "float64" | "int8" | "uint8" | "int32" | "int64" | "bool";

/** What a tensor is before it has a name. */
export interface Spec {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

export interface Tensor extends Spec {
  readonly graph: Graph;
  readonly name: string;
}

export type Attribute = number | string | readonly number[];
export type Attributes = Readonly<Record<string, Attribute>>;

/** One operation of a graph. Inputs that an operation can do without may be undefined. */
export interface Node {
  readonly type: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Attributes;
}

export type ConstantData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint16Array
  | Int32Array
  | BigInt64Array;

/** A shape as it reads in a sentence: `[4, 64, 32, 32]`. */
export const words = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/** The error of an operation whose operands do not fit: names the operation, what it expects and the shapes it was given. */
export function misfit(operation: string, expected: string, inputs: readonly (Spec | undefined)[]): Error {
  const shapes = inputs.map((t) => (t ? t.shape : undefined));
  const found = inputs.map((t) => (t ? `${t.type} ${words(t.shape)}` : "nothing")).join(", ");
  return sinoError("ERR_SINO_SHAPE", `${operation} expected ${expected} but received ${found}.`, {
    details: { operation, shapes },
  });
}

export function checkShape(name: string, shape: readonly number[]): void {
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected non-negative integers for the shape of ${name} but received ${show(shape)}.`,
    );
}

export const count = (t: Spec): number => sizeOf(t.shape);

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, axis) => n === b[axis]);

/** The shape that shapes broadcast to (NumPy's rule), or undefined where they do not. */
export function broadcast(shapes: readonly (readonly number[])[]): number[] | undefined {
  const rank = Math.max(...shapes.map((s) => s.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes)
    for (let i = 0; i < shape.length; i++) {
      const axis = rank - shape.length + i;
      const n = shape[i]!;
      if (n === 1 || n === result[axis]) continue;
      if (result[axis] !== 1) return undefined;
      result[axis] = n;
    }
  return result;
}

/** Axes as non-negative numbers in order. */
export function normalAxes(axes: readonly number[], rank: number): number[] {
  return axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
}
