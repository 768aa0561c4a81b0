/** A graph in the making: nodes in the order in which they were added, which is an order in which they can run. */
import { sizeOf } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { operationOf } from "./operation.ts";
import {
  type Attributes,
  type ConstantData,
  checkShape,
  type ElementType,
  type Node,
  type Spec,
  type Tensor,
  words,
} from "./tensor.ts";

/** Nodes whose values a gradient computes again from `inputs` (gradient.ts). */
export interface Segment {
  readonly nodes: readonly Node[];
  readonly inputs: readonly Tensor[];
}

export class Graph {
  readonly name: string;
  readonly nodes: Node[] = [];
  readonly segments: Segment[] = [];
  readonly inputs: Tensor[] = [];
  /** By the name under which each is asked for. */
  readonly outputs = new Map<string, Tensor>();
  readonly constants = new Map<Tensor, ConstantData>();
  readonly producers = new Map<Tensor, Node>();
  #scalars = new Map<string, Tensor>();
  #names = new Set<string>();
  #next = 0;

  constructor(name = "graph") {
    this.name = name;
  }

  /** A tensor fed at each run. */
  input(name: string, shape: readonly number[], type: ElementType = "float32"): Tensor {
    const tensor = this.#tensor({ type, shape }, name);
    this.inputs.push(tensor);
    return tensor;
  }

  /** A tensor whose values are written into the model. */
  constant(data: ConstantData | readonly number[], shape: readonly number[], name?: string): Tensor {
    const values: ConstantData = Array.isArray(data) ? Float32Array.from(data) : (data as ConstantData);
    if (values.length !== sizeOf(shape))
      throw sinoError(
        "ERR_SINO_SHAPE",
        `A constant of shape ${words(shape)} needs ${sizeOf(shape)} values but received ${values.length}.`,
      );
    const tensor = this.#tensor({ type: typeOf(values), shape }, name ?? this.#fresh("constant"));
    this.constants.set(tensor, values);
    return tensor;
  }

  /** A constant of rank 0, made once per value. */
  scalar(value: number, type: "float32" | "int64" = "float32"): Tensor {
    const key = `${type} ${Object.is(value, -0) ? "-0" : value}`;
    let tensor = this.#scalars.get(key);
    if (!tensor) {
      tensor = this.constant(type === "int64" ? BigInt64Array.of(BigInt(value)) : Float32Array.of(value), []);
      this.#scalars.set(key, tensor);
    }
    return tensor;
  }

  /** Adds an operation; its shapes are checked here and now. Throws ERR_SINO_SHAPE, ERR_SINO_UNSUPPORTED. */
  add(type: string, inputs: readonly (Tensor | undefined)[], attributes: Attributes = {}): readonly Tensor[] {
    for (const input of inputs)
      if (input && input.graph !== this)
        throw sinoError(
          "ERR_SINO_OUT_OF_RANGE",
          `${type} received ${input.name}, a tensor of the graph ${input.graph.name}; expected one of ${this.name}.`,
        );
    const specs = operationOf(type).infer(inputs, attributes);
    return this.append(type, inputs, attributes, specs);
  }

  /** Adds an operation whose outputs are known, unchecked. */
  append(
    type: string,
    inputs: readonly (Tensor | undefined)[],
    attributes: Attributes,
    specs: readonly Spec[],
    names: readonly string[] = [],
  ): readonly Tensor[] {
    const outputs = specs.map((spec, i) => this.#tensor(spec, names[i] ?? this.#fresh(type)));
    const node = { type, inputs, outputs, attributes };
    this.nodes.push(node);
    for (const output of outputs) this.producers.set(output, node);
    return outputs;
  }

  /** Asks for a tensor under a name. */
  output(name: string, tensor: Tensor): void {
    if (this.#names.has(name))
      throw sinoError("ERR_SINO_OUT_OF_RANGE", `The graph ${this.name} already has a tensor called ${name}.`);
    this.#names.add(name);
    this.outputs.set(name, tensor);
  }

  #tensor(spec: Spec, name: string): Tensor {
    checkShape(name, spec.shape);
    if (this.#names.has(name))
      throw sinoError("ERR_SINO_OUT_OF_RANGE", `The graph ${this.name} already has a tensor called ${name}.`);
    this.#names.add(name);
    return { graph: this, name, type: spec.type, shape: [...spec.shape] };
  }

  #fresh(stem: string): string {
    for (;;) {
      const name = `${stem.toLowerCase()}_${this.#next++}`;
      if (!this.#names.has(name)) return name;
    }
  }
}

function typeOf(data: ConstantData): ElementType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof BigInt64Array) return "int64";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof Uint16Array) return "float16";
  return "uint8";
}

/** Adds an operation to the graph of its first operand and returns its first output. */
export function apply(type: string, inputs: readonly (Tensor | undefined)[], attributes: Attributes = {}): Tensor {
  return inputs.find((t) => t !== undefined)!.graph.add(type, inputs, attributes)[0]!;
}
