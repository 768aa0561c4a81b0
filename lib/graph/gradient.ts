/**
 * Reverse-mode gradients: walks the graph from the loss backwards and adds, by each operation's rule, the nodes that
 * compute the gradients. They are ordinary nodes of the same graph.
 */
import { sinoError } from "../core/errors.ts";
import { operationOf } from "./operation.ts";
import { sum } from "./ops/elementwise.ts";
import { expand, reshape } from "./ops/layout.ts";
import { count, type Node, type Tensor, words } from "./tensor.ts";

/**
 * Gradients of a loss (one value) by tensors of the same graph, in their order and shapes. What the loss does not depend
 * on has a gradient of zeros. Throws ERR_SINO_SHAPE where the loss has more than one value, ERR_SINO_UNSUPPORTED where an
 * operation on the way has no gradient.
 */
export function gradients(loss: Tensor, by: readonly Tensor[]): Tensor[] {
  if (count(loss) !== 1)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a loss of one value but received ${words(loss.shape)}: reduce it to its mean or sum first.`,
    );
  return pullback([loss], [expand(loss.graph.scalar(1), loss.shape)], by);
}

/** Σ dys · ∂ys/∂x for each x: what the gradient of anything behind `ys` becomes in front of it. */
export function pullback(ys: readonly Tensor[], dys: readonly Tensor[], by: readonly Tensor[]): Tensor[] {
  const graph = ys[0]!.graph;
  const nodes = [...graph.nodes];
  const varies = dependents(nodes, by);
  const terms = new Map<Tensor, Tensor[]>();
  ys.forEach((y, i) => {
    terms.set(y, [...(terms.get(y) ?? []), dys[i]!]);
  });
  const total = (t: Tensor): Tensor | undefined => {
    const list = terms.get(t);
    if (!list) return undefined;
    const all = sum(...list);
    terms.set(t, [all]);
    return all;
  };
  for (const node of nodes.reverse()) {
    if (!node.outputs.some((t) => terms.has(t)) || !node.inputs.some((t) => t && varies.has(t))) continue;
    const wanted = node.inputs.map((t) => t !== undefined && varies.has(t));
    const dInputs = gradientOf(node)(node, node.outputs.map(total), wanted);
    node.inputs.forEach((input, i) => {
      const d = dInputs[i];
      if (input && wanted[i] && d) terms.set(input, [...(terms.get(input) ?? []), d]);
    });
  }
  return by.map((x) => reshape(total(x) ?? expand(graph.scalar(0), x.shape), x.shape));
}

/** All tensors that depend on one of `by`, themselves included. */
function dependents(nodes: readonly Node[], by: readonly Tensor[]): Set<Tensor> {
  const varies = new Set(by);
  for (const node of nodes)
    if (node.inputs.some((t) => t && varies.has(t))) for (const output of node.outputs) varies.add(output);
  return varies;
}

function gradientOf(node: Node) {
  const { gradient } = operationOf(node.type);
  if (gradient) return gradient;
  throw sinoError(
    "ERR_SINO_UNSUPPORTED",
    `The operation ${node.type} (${node.outputs[0]!.name}) has no gradient, but the loss depends on it.`,
    { details: { operation: node.type } },
  );
}
