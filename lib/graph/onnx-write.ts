/** Writes a graph as an ONNX model: one file, no external data. Field numbers are those of onnx.proto. */
import type { Graph } from "./graph.ts";
import { halve } from "./half.ts";
import { lower } from "./lower.ts";
import { operationOf } from "./operation.ts";
import { onnxTypes } from "./ops/elementwise.ts";
import type { Attribute, ConstantData, Node, Tensor } from "./tensor.ts";
import { Message } from "./wire.ts";

/** The version of the operator set that every model declares. */
export const opset = 20;
const irVersion = 9;

/** Attributes that ONNX types as floats; other numbers are integers. */
const floats = new Set(["alpha", "beta", "gamma", "epsilon", "momentum", "cubic_coeff_a", "extrapolation_value"]);

export interface WriteOptions {
  /** Mixed precision: convolutions and matrix products in float16 (half.ts); default false. */
  readonly half?: boolean | undefined;
  /** Written into the model as key and value. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Names for axes whose length may change from run to run, by input or output: `{ x: ["n", undefined, "h", "w"] }`. */
  readonly axes?: Readonly<Record<string, readonly (string | undefined)[]>>;
}

/** The bytes of an ONNX model. Throws ERR_SINO_UNSUPPORTED where an operation is unknown. */
export function writeOnnx(graph: Graph, options: WriteOptions = {}): Uint8Array<ArrayBuffer> {
  const plain = options.half ? halve(lower(graph)) : lower(graph);
  const model = new Message().int(1, irVersion).text(2, "sinogram").message(7, graphMessage(plain, options));
  model.message(8, new Message().text(1, "").int(2, opset));
  for (const [key, value] of Object.entries(options.metadata ?? {}))
    model.message(14, new Message().text(1, key).text(2, value));
  return model.finish();
}

function graphMessage(graph: Graph, { axes = {} }: WriteOptions): Message {
  const message = new Message();
  const names = new Names(graph);
  const integers = new Integers();
  for (const node of graph.nodes) message.message(1, nodeMessage(node, names, integers));
  for (const [name, t] of graph.outputs)
    if (names.of(t) !== name) message.message(1, new Message().text(1, names.of(t)).text(2, name).text(4, "Identity"));
  message.text(2, graph.name);
  for (const [t, data] of graph.constants) message.message(5, tensorMessage(t.name, t.type, t.shape, data));
  for (const [name, data] of integers.tensors) message.message(5, tensorMessage(name, "int64", [data.length], data));
  for (const t of graph.inputs) message.message(11, valueMessage(t.name, t, axes[t.name]));
  for (const [name, t] of graph.outputs) message.message(12, valueMessage(name, t, axes[name]));
  return message;
}

/** Names in the file: what a node makes for an output has the output's name, so that nothing is copied at the end. */
class Names {
  #names = new Map<Tensor, string>();

  constructor(graph: Graph) {
    for (const [name, t] of graph.outputs) if (graph.producers.has(t) && !this.#names.has(t)) this.#names.set(t, name);
  }

  of(t: Tensor): string {
    return this.#names.get(t) ?? t.name;
  }
}

/** Lists of integers that operations take as constant inputs, each written once. */
class Integers {
  readonly tensors = new Map<string, BigInt64Array>();

  nameOf(list: readonly number[]): string {
    const name = `int64:${list.join(",")}`;
    if (!this.tensors.has(name)) this.tensors.set(name, BigInt64Array.from(list, BigInt));
    return name;
  }
}

function nodeMessage(node: Node, called: Names, integers: Integers): Message {
  const message = new Message();
  const attributes: Record<string, Attribute> = { ...node.attributes };
  const names = node.inputs.map((t) => (t ? called.of(t) : ""));
  const { inputAttributes } = operationOf(node.type);
  if (inputAttributes) {
    while (names.length < inputAttributes.operands) names.push("");
    inputAttributes.names.forEach((name, i) => {
      if (name === "" || attributes[name] === undefined) names[inputAttributes.operands + i] ??= "";
      else names[inputAttributes.operands + i] = integers.nameOf(attributes[name] as readonly number[]);
      delete attributes[name];
    });
  }
  for (const name of names) message.text(1, name);
  for (const t of node.outputs) message.text(2, called.of(t));
  message.text(3, node.outputs[0]!.name).text(4, node.type);
  for (const [name, value] of Object.entries(attributes)) message.message(5, attributeMessage(name, value));
  return message;
}

function attributeMessage(name: string, value: Attribute): Message {
  const message = new Message().text(1, name);
  if (typeof value === "string") return message.text(4, value).int(20, 3);
  if (typeof value === "number")
    return floats.has(name) ? message.float(2, value).int(20, 1) : message.int(3, value).int(20, 2);
  for (const n of value) message.int(8, n);
  return message.int(20, 7);
}

function tensorMessage(name: string, type: Tensor["type"], shape: readonly number[], data: ConstantData): Message {
  const message = new Message();
  for (const n of shape) message.int(1, n);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message.int(2, onnxTypes[type]).text(8, name).bytes(9, bytes);
}

function valueMessage(name: string, { type, shape }: Tensor, axes: readonly (string | undefined)[] = []): Message {
  const dims = new Message();
  shape.forEach((n, axis) => {
    const label = axes[axis];
    dims.message(1, label === undefined ? new Message().int(1, n) : new Message().text(2, label));
  });
  const tensor = new Message().int(1, onnxTypes[type]).message(2, dims);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
