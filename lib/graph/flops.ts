/** How much arithmetic a graph is: convolutions and products of matrices, which are nearly all of it. */
import { sizeOf } from "../core/arrays.ts";
import type { Graph } from "./graph.ts";
import { count, type Node } from "./tensor.ts";

function flopsOfNode({ type, inputs, outputs, attributes }: Node): number {
  const [a, b] = inputs;
  const y = outputs[0]!;
  if (type === "Conv") return 2 * count(y) * sizeOf(b!.shape.slice(1));
  if (type === "ConvTranspose") return 2 * count(a!) * sizeOf(b!.shape.slice(1));
  if (type === "MatMul") return 2 * count(y) * a!.shape.at(-1)!;
  if (type === "Gemm") return 2 * count(y) * a!.shape[attributes["transA"] ? 0 : 1]!;
  return 0;
}

/** Floating-point operations of one run, a multiplication and an addition counting as two. */
export const flopsOf = (graph: Graph): number => graph.nodes.reduce((sum, node) => sum + flopsOfNode(node), 0);
