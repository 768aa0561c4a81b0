/** What a finished run leaves: one ONNX file in the units of the data, its weights by name, and a card. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileDigest } from "../core/digest.ts";
import { writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { readSafetensors } from "../data/safetensors.ts";
import { type NetworkSize, networkModel, summarize } from "../networks/index.ts";
import type { RunProgress } from "./checkpoint.ts";
import { defaultLoss, type TrainingConfig } from "./config.ts";

/** Writes model.onnx and model.json of the best weights; gives the model's path. Throws ERR_SINO_IO. */
export async function exportModel(
  config: TrainingConfig,
  folder: string,
  size: NetworkSize,
  progress: RunProgress,
): Promise<string> {
  const weights = join(folder, "weights.safetensors");
  const { tensors } = await readSafetensors(weights);
  const plain = new Map([...tensors].map(([name, { data }]) => [name, data]));
  const { network, data, name = "network", licence = "unspecified" } = config;
  const isDiffusion = config.task === "diffusion";
  const scale = { offset: data.offset ?? 0, factor: data.factor ?? 1 };
  const isProbability = config.task === "segmentation";
  // a denoiser works in the units of the data; a sampler in those of its noise
  const model = networkModel(network, plain, size, isDiffusion ? {} : { scale, isProbability });
  const path = join(folder, "model.onnx");
  await writeFileAtomic(path, model);
  const { parameters, flops, outputShape } = summarize(network, size);
  const card = {
    name,
    licence,
    sha256: createHash("sha256").update(model).digest("hex"),
    weightsSha256: (await fileDigest(weights)).sha256,
    network,
    input: {
      shape: [1, network.inChannels, ...size.size],
      ...(isDiffusion ? { scaledTo: scale } : { units: "those of the data" }),
    },
    output: { shape: outputShape, ...(isProbability && { units: "probability" }) },
    ...(config.conditions && { conditions: config.conditions }),
    parameters,
    flops,
    training: {
      task: config.task ?? "regression",
      data,
      loss: config.loss ?? defaultLoss(config.task),
      optimizer: config.optimizer ?? {},
      ...(config.diffusion && { diffusion: config.diffusion }),
      steps: progress.step,
      ...(progress.scaling && { precision: "float16", skipped: progress.scaling.skipped }),
      batch: config.batch,
      seed: config.seed ?? 0,
    },
    metrics: { validationLoss: progress.best, step: progress.bestStep },
    madeWith: `sinogram ${version}`,
  };
  await writeFileAtomic(join(folder, "model.json"), `${JSON.stringify(card, null, 2)}\n`);
  return path;
}
