/**
 * Reverse-mode gradients: walks the graph from the loss backwards and adds, by each operation's rule, the nodes that
 * compute the gradients. They are ordinary nodes of the same graph.
 */
import { sinoError } from "../core/errors.ts";
import { apply, type Graph, type Segment } from "./graph.ts";
import { defineOperation, operationOf } from "./operation.ts";
import { add, mul, sum } from "./ops/elementwise.ts";
import { expand, reshape, slice } from "./ops/layout.ts";
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
  const walk = new Walk(graph, [...graph.nodes], by);
  ys.forEach((y, i) => {
    walk.add(y, dys[i]!);
  });
  walk.run();
  return by.map((x) => reshape(walk.total(x) ?? expand(graph.scalar(0), x.shape), x.shape));
}

/** One way backwards through a list of nodes, with what has come together of each tensor's gradient. */
class Walk {
  readonly #graph: Graph;
  readonly #nodes: readonly Node[];
  readonly #varies: Set<Tensor>;
  readonly #terms = new Map<Tensor, Tensor[]>();

  constructor(graph: Graph, nodes: readonly Node[], by: readonly Tensor[]) {
    this.#graph = graph;
    this.#nodes = nodes;
    this.#varies = dependents(nodes, by);
  }

  add(t: Tensor, d: Tensor): void {
    this.#terms.set(t, [...(this.#terms.get(t) ?? []), d]);
  }

  total(t: Tensor): Tensor | undefined {
    const list = this.#terms.get(t);
    if (!list) return undefined;
    const all = sum(...list);
    this.#terms.set(t, [all]);
    return all;
  }

  run(): void {
    const segmentOf = new Map(this.#graph.segments.flatMap((s) => s.nodes.map((node) => [node, s] as const)));
    const isDone = new Set<Segment>();
    for (const node of this.#nodes.toReversed()) {
      const segment = segmentOf.get(node);
      if (!segment) this.#back(node);
      else if (!isDone.has(segment)) {
        isDone.add(segment);
        this.#again(segment);
      }
    }
  }

  #back(node: Node): void {
    if (!node.outputs.some((t) => this.#terms.has(t)) || !node.inputs.some((t) => t && this.#varies.has(t))) return;
    const wanted = node.inputs.map((t) => t !== undefined && this.#varies.has(t));
    const dInputs = gradientOf(node)(
      node,
      node.outputs.map((t) => this.total(t)),
      wanted,
    );
    node.inputs.forEach((input, i) => {
      const d = dInputs[i];
      if (input && wanted[i] && d) this.add(input, d);
    });
  }

  /** A segment whose values were not kept: computed again, from its inputs, then walked through. */
  #again({ nodes, inputs }: Segment): void {
    const made = new Set(nodes.flatMap((node) => node.outputs));
    const ends = [...made].filter((t) => this.#terms.has(t));
    const from = [...new Set(nodes.flatMap((node) => node.inputs))].filter(
      (t): t is Tensor => t !== undefined && !made.has(t) && this.#varies.has(t),
    );
    if (ends.length === 0 || from.length === 0) return;
    const dys = ends.map((t) => this.total(t)!);
    const copies = new Map<Tensor, Tensor>();
    // after dy is there, and not before: else it would be the values kept all along
    for (const t of inputs) copies.set(t, apply("Later", [t, dys[0]!]));
    const copied = nodes.map((node) => this.#copy(node, copies));
    const starts = from.map((t) => copies.get(t) ?? t);
    const inner = new Walk(this.#graph, copied, starts);
    ends.forEach((t, i) => {
      inner.add(copies.get(t)!, dys[i]!);
    });
    inner.run();
    from.forEach((t, i) => {
      const d = inner.total(starts[i]!);
      if (d) this.add(t, d);
    });
  }

  #copy(node: Node, copies: Map<Tensor, Tensor>): Node {
    const inputs = node.inputs.map((t) => t && (copies.get(t) ?? t));
    const outputs = this.#graph.append(node.type, inputs, node.attributes, node.outputs);
    node.outputs.forEach((t, i) => {
      copies.set(t, outputs[i]!);
    });
    return this.#graph.producers.get(outputs[0]!)!;
  }
}

/**
 * Builds a part of a network whose values are not kept for the gradient but computed again from `inputs` when it needs
 * them: less memory for one more forward pass of that part. Parameters may be used besides the inputs. (Chen et al. 2016,
 * "Training deep nets with sublinear memory cost".)
 */
export function checkpoint<T extends readonly Tensor[]>(inputs: T, build: (...inputs: T) => Tensor): Tensor {
  const { graph } = inputs[0]!;
  const first = graph.nodes.length;
  const y = build(...inputs);
  graph.segments.push({ nodes: graph.nodes.slice(first), inputs });
  return y;
}

// x, but not before `after` is there: plus zero times one of its values
defineOperation("Later", {
  infer: ([x]) => [{ type: x!.type, shape: x!.shape }],
  lower([x, after]) {
    const one = reshape(slice(reshape(after!, [-1]), 0, 0, 1), []);
    return [add(x!, mul(one, 0))];
  },
  gradient: (_node, [dy]) => [dy, undefined],
});

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
