/** `sinogram prune`: a trained network with fewer channels, trained again for what it lost. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileDigest } from "../core/digest.ts";
import { makeFolder, writeFileAtomic } from "../core/files.ts";
import { writeSafetensors } from "../data/safetensors.ts";
import { loadTrained } from "../models/index.ts";
import { modelFolder } from "../models/shipped.ts";
import { pruneNetwork, summarize } from "../networks/index.ts";
import { type Command, counted } from "./command.ts";
import { checkFolderTarget } from "./outputs.ts";
import { readTraining, trained } from "./train.ts";

export interface PruneOptions {
  output: string;
  share: number;
  config?: string;
  teacher?: string;
}

export function prune(model: string, given: PruneOptions): Command {
  return async (run) => {
    const { output, share, config: path, teacher } = given;
    await checkFolderTarget(output, false);
    const config = path === undefined ? undefined : await readTraining(path);
    const folder = await modelFolder(model);
    const whole = await loadTrained(folder);
    const { network, weights } = pruneNetwork(whole.network, whole.weights, share);
    const size = { batch: 1, size: whole.size ?? [64, 64] };
    const { parameters, flops, parameterSpecs, bufferSpecs } = summarize(network, size);
    const before = summarize(whole.network, size);
    const specs = [...parameterSpecs, ...bufferSpecs];
    const tensors = new Map(specs.map(({ name, shape }) => [name, { shape, data: weights.get(name)! }]));
    await makeFolder(output);
    const file = join(output, config ? "pruned.safetensors" : "weights.safetensors");
    await writeSafetensors(file, { tensors, metadata: { network: JSON.stringify(network) } });
    const { int8: _, sha256: _s, metrics: _m, ...card } = await cardIn(folder);
    const pruned = { from: card["name"], weightsSha256: card["weightsSha256"], share };
    const text = [
      `channels     ${(100 * share).toFixed(0)} % fewer inside ${counted(Object.keys(network.kind === "unet" || network.kind === "dncnn" || network.kind === "redcnn" ? (network.widths ?? {}) : {}).length, "layer")}`,
      `parameters   ${parameters} instead of ${before.parameters}`,
      `operations   ${((100 * flops) / before.flops).toFixed(0)} % of ${before.flops}`,
      "",
    ].join("\n");
    if (!config) {
      const weightsSha256 = (await fileDigest(file)).sha256;
      await writeCard(output, { ...card, weightsSha256, network, parameters, flops, pruned });
      await run.console.result({ output, parameters, flops, pruned }, text);
      return 0;
    }
    const taught = teacher === undefined ? {} : { teacher: await modelFolder(teacher) };
    const { text: words, result } = await trained({ ...config, ...taught, network, from: file }, given, run);
    // what the commands ask of images is as before
    const kept = Object.fromEntries(["modality", "unit", "factor"].flatMap((k) => (k in card ? [[k, card[k]]] : [])));
    await writeCard(output, { ...(await cardIn(output)), ...kept, pruned });
    await run.console.result({ output, parameters, flops, pruned, ...result }, `${text}${words}`);
    return 0;
  };
}

const cardIn = async (folder: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(folder, "model.json"), "utf8"));

const writeCard = (folder: string, card: object): Promise<void> =>
  writeFileAtomic(join(folder, "model.json"), `${JSON.stringify(card, null, 2)}\n`);
