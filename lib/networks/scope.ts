/**
 * Where a network's parameters come from while it is built: names as PyTorch writes them ("down.0.conv1.weight"), shapes,
 * and what they start as. The same network function builds for training, for use, and just to count.
 */
import type { Graph, Tensor } from "../graph/index.ts";

/** A parameter before it has values: it starts as normal noise of this deviation around this mean. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly mean: number;
  readonly deviation: number;
}

/** What gives a network its tensors. Buffers are kept with the parameters but not trained: running statistics. */
export interface Source {
  readonly graph: Graph;
  /** In training, normalisation uses the batch's statistics; in use the stored ones. */
  readonly isTraining: boolean;
  /** Keeps only what enters each block, and computes the rest again for the gradient. */
  readonly isFrugal?: boolean;
  parameter(spec: ParameterSpec): Tensor;
  buffer(spec: ParameterSpec): Tensor;
  /** What a buffer becomes after this step. */
  update(name: string, value: Tensor): void;
}

export class Scope {
  readonly source: Source;
  readonly #prefix: string;

  constructor(source: Source, prefix = "") {
    this.source = source;
    this.#prefix = prefix;
  }

  get graph(): Graph {
    return this.source.graph;
  }

  /** As its parameters begin, without the last dot. */
  get name(): string {
    return this.#prefix.slice(0, -1);
  }

  in(name: string | number): Scope {
    return new Scope(this.source, `${this.#prefix}${name}.`);
  }

  parameter(name: string, shape: readonly number[], deviation: number, mean = 0): Tensor {
    return this.source.parameter({ name: this.#prefix + name, shape, mean, deviation });
  }

  buffer(name: string, shape: readonly number[], value: number): Tensor {
    return this.source.buffer({ name: this.#prefix + name, shape, mean: value, deviation: 0 });
  }

  update(name: string, value: Tensor): void {
    this.source.update(this.#prefix + name, value);
  }
}

/** Parameters as separate inputs of the graph: for counting, for tests and for one-off graphs. */
export class InputSource implements Source {
  readonly graph: Graph;
  readonly isTraining: boolean;
  readonly parameters: ParameterSpec[] = [];
  readonly buffers: ParameterSpec[] = [];
  readonly tensors = new Map<string, Tensor>();
  readonly updates = new Map<string, Tensor>();

  constructor(graph: Graph, { isTraining = false }: { isTraining?: boolean } = {}) {
    this.graph = graph;
    this.isTraining = isTraining;
  }

  parameter(spec: ParameterSpec): Tensor {
    this.parameters.push(spec);
    return this.#input(spec);
  }

  buffer(spec: ParameterSpec): Tensor {
    this.buffers.push(spec);
    return this.#input(spec);
  }

  update(name: string, value: Tensor): void {
    this.updates.set(name, value);
  }

  #input({ name, shape }: ParameterSpec): Tensor {
    const tensor = this.graph.input(name, shape);
    this.tensors.set(name, tensor);
    return tensor;
  }
}
