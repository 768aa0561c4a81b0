/** Classifier guidance: the slope of a classifier's log-probability of a class by the image (Dhariwal & Nichol 2021, NeurIPS). */
import { readFile } from "node:fs/promises";
import type { ArrayLike } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { Graph, gradients, importOnnx, logSoftmax, reduceSum, slice, writeOnnx } from "../graph/index.ts";
import { readModel } from "../graph/onnx-read.ts";
import { type ModelOptions, openModel } from "../models/model.ts";

export interface ClassifierGuidance {
  /** ONNX, bytes or path: an image [n, 1, row, column] as the network sees it, and where it has a second input the timestep [n]; logits [n, class]. */
  model: Uint8Array | string;
  class: number;
  /** How strongly it draws; default 1. */
  scale?: number | undefined;
}

export interface OpenClassifier {
  readonly scale: number;
  /** Slope of log p(class | x) by x. */
  slope(x: ArrayLike, t: number): Promise<ArrayLike>;
  dispose(): Promise<void>;
}

/** Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_UNSUPPORTED (its operations or outputs), ERR_SINO_OUT_OF_RANGE (no such class). */
export async function openClassifier(
  { model, class: wanted, scale = 1 }: ClassifierGuidance,
  shape: readonly number[],
  options: ModelOptions,
): Promise<OpenClassifier> {
  const bytes =
    typeof model === "string"
      ? await readFile(model).catch((cause) => {
          throw ioError("read", model, cause);
        })
      : model;
  const [image, time, ...others] = readModel(bytes).inputs;
  if (!image || others.length > 0)
    throw sinoError("ERR_SINO_UNSUPPORTED", "Expected a classifier of an image, or of an image and a timestep.");
  const graph = new Graph("slope");
  const x = graph.input("x", shape);
  const t = time && graph.input("t", [shape[0]!]);
  const given = { [image.name]: x, ...(time && { [time.name]: t! }) };
  const [logits] = Object.values(importOnnx(graph, bytes, given));
  const [n, classes] = logits?.shape ?? [];
  if (logits?.shape.length !== 2 || n !== shape[0])
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `Expected a classifier that gives logits [n, class] but it gives [${logits?.shape.join(", ")}].`,
    );
  if (!(Number.isInteger(wanted) && wanted >= 0 && wanted < classes!))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a class from 0 to ${classes! - 1}, which the classifier knows, but received ${show(wanted)}.`,
    );
  const chosen = reduceSum(slice(logSoftmax(logits), 1, wanted, wanted + 1));
  graph.output("slope", gradients(chosen, [x])[0]!);
  const open = await openModel(writeOnnx(graph), options);
  return {
    scale,
    async slope({ data }, at) {
      const feeds = {
        x: { data: data as Float32Array, shape },
        ...(time && { t: { data: new Float32Array(shape[0]!).fill(at), shape: [shape[0]!] } }),
      };
      return (await open.run(feeds))["slope"] as ArrayLike;
    },
    dispose: () => open.dispose(),
  };
}
