/**
 * A lowered graph in mixed precision: convolutions and matrix products take and give float16, what only moves or combines such values
 * follows, all else (reductions, roots, exponentials) stays float32, as do inputs and outputs of the graph. Products with
 * constants stay float32, too: they are windows of metrics and coordinates, where half precision would show. After Micikevicius et al. 2018,
 * "Mixed precision training" (ICLR).
 */
import { Graph } from "./graph.ts";
import { onnxTypes } from "./ops/elementwise.ts";
import { count, type ElementType, type Node, type Tensor } from "./tensor.ts";

const products = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);
const followers = new Set(
  "Add Concat Equal Expand Flatten Greater Identity LeakyRelu Less Max MaxPool Min Mul Neg PRelu Pad Relu Reshape Resize Sigmoid Slice Split Squeeze Sub Sum Tanh Transpose Unsqueeze Where".split(
    " ",
  ),
);

/** The same graph with casts between the two precisions. */
export function halve(graph: Graph): Graph {
  const result = new Graph(graph.name);
  const copies = new Map<Tensor, Tensor>();
  const casts = new Map<Tensor, Tensor>();
  const isFixed = new Set<Tensor>(graph.constants.keys());
  for (const t of graph.inputs) copies.set(t, result.input(t.name, t.shape, t.type));
  for (const [t, data] of graph.constants) copies.set(t, result.constant(data, t.shape, t.name));

  const as = (t: Tensor, type: ElementType): Tensor => {
    if (t.type === type || !/^float(16|32)$/.test(t.type)) return t;
    let other = casts.get(t);
    if (!other) {
      [other] = result.append("Cast", [t], { to: onnxTypes[type] }, [{ type, shape: t.shape }]) as [Tensor];
      casts.set(t, other);
    }
    return other;
  };
  const isWeak = (t: Tensor) => {
    const value = graph.constants.get(t);
    return value !== undefined && count(t) === 1 && isHalf(Number(value[0]));
  };
  const precisionOf = ({ type, inputs }: Node): "float16" | "float32" => {
    const floats = inputs.filter((t): t is Tensor => t?.type === "float32");
    if (products.has(type)) return floats.some((t) => isFixed.has(t)) ? "float32" : "float16";
    const strong = followers.has(type)
      ? type === "Resize"
        ? floats.slice(0, 1)
        : floats.filter((t) => !isWeak(t))
      : [];
    return strong.length > 0 && strong.every((t) => copies.get(t)!.type === "float16") ? "float16" : "float32";
  };

  for (const node of graph.nodes) {
    const precision = precisionOf(node);
    const inputs = node.inputs.map((t, i) => {
      if (!t) return undefined;
      // the scales of a Resize are not values
      return as(copies.get(t)!, node.type === "Resize" && i > 0 ? "float32" : precision);
    });
    const specs = node.outputs.map(({ type, shape }) => ({ type: type === "float32" ? precision : type, shape }));
    const outputs = result.append(node.type, inputs, node.attributes, specs);
    const fixed = node.inputs.every((t) => !t || isFixed.has(t));
    node.outputs.forEach((t, i) => {
      copies.set(t, outputs[i]!);
      if (fixed) isFixed.add(t);
    });
  }
  for (const [name, t] of graph.outputs) result.output(name, as(copies.get(t)!, t.type));
  return result;
}

/** Whether a number keeps three digits in float16. */
const isHalf = (value: number): boolean => value === 0 || (Math.abs(value) <= 65504 && Math.abs(value) >= 1e-4);
