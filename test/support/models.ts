/** Folders of small models, as `sinogram train` leaves them. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileDigest } from "../../lib/core/digest.ts";
import { writeSafetensors } from "../../lib/data/safetensors.ts";
import { type NetworkDescription, summarize } from "../../lib/networks/index.ts";
import { randomFloats } from "./random.ts";

export interface SmallModel {
  network: NetworkDescription;
  /** Rows and columns; default 16. */
  size?: number;
  /** Of the random weights; default 0: a residual network gives what it is shown then. */
  deviation?: number;
  /** Of the random weights, per parameter; default 0. */
  seed?: number;
  /** Changes the weights of a parameter by its name. */
  fill?: (name: string, values: Float32Array) => void;
  /** What else the card says. */
  card?: object;
}

/** Writes weights and card into a new folder; gives the folder. */
export async function writeModel(folder: string, model: SmallModel): Promise<string> {
  const { network, size = 16, deviation = 0, seed = 0, fill, card } = model;
  await mkdir(folder);
  const axes = network.kind === "unet" ? (network.dimensions ?? 2) : 2;
  const { parameterSpecs } = summarize(network, { batch: 1, size: new Array<number>(axes).fill(size) });
  const tensors = new Map(
    parameterSpecs.map(({ name, shape }, i) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const data = randomFloats(count, seed + i).map((v) => v * deviation) as Float32Array;
      fill?.(name, data);
      return [name, { data, shape }];
    }),
  );
  const file = join(folder, "weights.safetensors");
  await writeSafetensors(file, { tensors, metadata: {} });
  const { sha256 } = await fileDigest(file);
  const training = { data: {} };
  await writeFile(
    join(folder, "model.json"),
    JSON.stringify({ name: "tiny", network, weightsSha256: sha256, training, ...card }),
  );
  return folder;
}
