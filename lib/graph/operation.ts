/**
 * The table of operations. Each entry says what shapes come out, what the gradient is, and, where the operation is not
 * in the pinned opset or another form of it runs faster, of which ONNX operations it is made.
 */
import { sinoError } from "../core/errors.ts";
import type { Attributes, Node, Spec, Tensor } from "./tensor.ts";

export interface Operation {
  /** Shapes and types of the outputs; throws `misfit` where the inputs do not fit. */
  infer(inputs: readonly (Tensor | undefined)[], attributes: Attributes): Spec[];
  /**
   * Gradients by the inputs, given those by the outputs (undefined: zero). `wanted[i]` says whether anybody asks for the
   * gradient by input i; what is not wanted may be left undefined.
   */
  gradient?(node: Node, dOutputs: readonly (Tensor | undefined)[], wanted: readonly boolean[]): (Tensor | undefined)[];
  /** Writes the operation as ONNX operations into the graph of its inputs. Without it, it is one of ONNX itself. */
  lower?(inputs: readonly (Tensor | undefined)[], attributes: Attributes): Tensor[];
  /** Integer attributes that ONNX takes as constant inputs after the first `operands` ones; "" leaves one out. */
  inputAttributes?: { readonly operands: number; readonly names: readonly string[] };
}

const operations = new Map<string, Operation>();

export function defineOperation(type: string, operation: Operation): void {
  operations.set(type, operation);
}

/** Throws ERR_SINO_UNSUPPORTED where there is no such operation. */
export function operationOf(type: string): Operation {
  const operation = operations.get(type);
  if (operation) return operation;
  throw sinoError(
    "ERR_SINO_UNSUPPORTED",
    `The operation ${type} is not among the ${operations.size} that graphs can hold: ${[...operations.keys()].sort().join(", ")}.`,
    { details: { operation: type } },
  );
}
