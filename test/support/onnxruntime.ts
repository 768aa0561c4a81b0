/** Whether onnxruntime-node, an optional package, is there, and the short way to run a graph once. */
import { Graph, type Tensor, writeOnnx } from "../../lib/graph/index.ts";
import { loadOnnxRuntime, openSession, type Values } from "../../lib/models/session.ts";

export const hasOnnxRuntime = await loadOnnxRuntime().then(
  () => true,
  () => false,
);
export const noOnnxRuntime = "onnxruntime-node is not installed";

/** Builds a graph of named inputs, runs it once and gives the outputs. */
export async function runOnce(
  inputs: Readonly<Record<string, Values>>,
  build: (tensors: Record<string, Tensor>, graph: Graph) => Readonly<Record<string, Tensor>>,
): Promise<Record<string, Values>> {
  const graph = new Graph("test");
  const tensors: Record<string, Tensor> = {};
  for (const [name, { shape, data }] of Object.entries(inputs))
    tensors[name] = graph.input(name, shape, data instanceof BigInt64Array ? "int64" : "float32");
  for (const [name, t] of Object.entries(build(tensors, graph))) graph.output(name, t);
  const session = await openSession(writeOnnx(graph), { threads: 1 });
  try {
    return await session.run(inputs);
  } finally {
    await session.close();
  }
}
