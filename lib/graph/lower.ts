/** From the graph as written to the graph as run: only what the outputs need, and ONNX operations only. */
import { Graph } from "./graph.ts";
import { operationOf } from "./operation.ts";
import type { Node, Tensor } from "./tensor.ts";

/** The nodes on which the outputs depend, in their order. */
function needed(graph: Graph): Node[] {
  const wanted = new Set<Tensor>(graph.outputs.values());
  const list: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((t) => wanted.has(t))) continue;
    list.push(node);
    for (const input of node.inputs) if (input) wanted.add(input);
  }
  return list.reverse();
}

/** A copy of the graph in which every node is an operation of ONNX. Inputs stay, also those that nothing uses. */
export function lower(graph: Graph): Graph {
  const result = new Graph(graph.name);
  const copies = new Map<Tensor, Tensor>();
  for (const input of graph.inputs) copies.set(input, result.input(input.name, input.shape, input.type));
  const copyOf = (t: Tensor): Tensor => {
    const known = copies.get(t);
    if (known) return known;
    const copy =
      t.shape.length === 0 && (t.type === "float32" || t.type === "int64")
        ? result.scalar(Number(graph.constants.get(t)![0]), t.type)
        : result.constant(graph.constants.get(t)!, t.shape);
    copies.set(t, copy);
    return copy;
  };
  for (const node of needed(graph)) {
    const inputs = node.inputs.map((t) => t && copyOf(t));
    const { lower: rewrite } = operationOf(node.type);
    const outputs = rewrite
      ? rewrite(inputs, node.attributes)
      : result.append(node.type, inputs, node.attributes, node.outputs);
    node.outputs.forEach((t, i) => {
      if (outputs[i]) copies.set(t, outputs[i]);
    });
  }
  for (const [name, t] of graph.outputs) result.output(name, copyOf(t));
  return result;
}
