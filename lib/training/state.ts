/**
 * What a training run keeps: all parameters one after the other in one vector, and vectors of the same length for the
 * optimiser. One vector makes a step's arithmetic a dozen operations instead of a dozen per parameter, and the state a
 * handful of arrays.
 */
import { sizeOf } from "../core/arrays.ts";
import { type Graph, reshape, split, type Tensor } from "../graph/index.ts";
import type { ParameterSpec, Source } from "../networks/index.ts";

export const lengthOf = (specs: readonly ParameterSpec[]): number => specs.reduce((n, s) => n + sizeOf(s.shape), 0);

/** A vector's parts, each in its parameter's shape, by name. */
export function views(specs: readonly ParameterSpec[], vector: Float32Array): Map<string, Float32Array> {
  const map = new Map<string, Float32Array>();
  let at = 0;
  for (const { name, shape } of specs) {
    map.set(name, vector.subarray(at, at + sizeOf(shape)));
    at += sizeOf(shape);
  }
  return map;
}

/** The tensors of a vector in a graph, in the order of the specs. */
function parts(vector: Tensor, specs: readonly ParameterSpec[]): Map<string, Tensor> {
  const pieces = split(
    vector,
    specs.map((s) => sizeOf(s.shape)),
    0,
  );
  return new Map(specs.map((s, i) => [s.name, reshape(pieces[i]!, s.shape)]));
}

/** Gives a network its parameters out of one vector, and its buffers out of another. */
export class VectorSource implements Source {
  readonly graph: Graph;
  readonly isTraining: boolean;
  readonly isFrugal: boolean;
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly updates = new Map<string, Tensor>();
  readonly #buffers: ReadonlyMap<string, Tensor>;

  constructor(
    vectors: { readonly parameters: Tensor; readonly buffers?: Tensor | undefined },
    specs: { readonly parameters: readonly ParameterSpec[]; readonly buffers: readonly ParameterSpec[] },
    { isTraining, isFrugal = false }: { readonly isTraining: boolean; readonly isFrugal?: boolean },
  ) {
    this.graph = vectors.parameters.graph;
    this.isTraining = isTraining;
    this.isFrugal = isFrugal;
    this.parameters = parts(vectors.parameters, specs.parameters);
    this.#buffers = vectors.buffers ? parts(vectors.buffers, specs.buffers) : new Map();
  }

  parameter({ name }: ParameterSpec): Tensor {
    return this.parameters.get(name)!;
  }

  buffer({ name }: ParameterSpec): Tensor {
    return this.#buffers.get(name)!;
  }

  update(name: string, value: Tensor): void {
    this.updates.set(name, value);
  }
}
