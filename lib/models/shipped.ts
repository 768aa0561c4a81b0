/** Models that come with the package, by name, and folders of other models: what their cards say of the images they are for. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fileDigest } from "../core/digest.ts";
import { sinoError } from "../core/errors.ts";
import { isConditional, loadTrained, type Precision, type Trained } from "./trained.ts";

const shelf = fileURLToPath(new URL("../../models", import.meta.url));

/** A network that finds metal in HU images. */
export interface MetalModel {
  readonly trained: Trained;
  readonly name: string;
  readonly weightsSha256: string;
}

export interface RestorationModel {
  readonly trained: Trained;
  readonly name: string;
  readonly folder: string;
  /** "CT", "MR"; undefined where the card does not say. */
  readonly modality: string | undefined;
  /** "HU", or undefined: any. */
  readonly unit: string | undefined;
  /** How many times as many rows and columns its images have: it is shown interpolated ones. */
  readonly factor: number;
  /** Of networks that enlarge: what they make is moved until it shows the given images when made coarser again. */
  readonly isConsistent: boolean;
  readonly licence: string | undefined;
  readonly weightsSha256: string | undefined;
}

interface Card {
  readonly name?: string;
  readonly modality?: string;
  readonly unit?: string;
  readonly factor?: number;
  readonly consistent?: boolean;
  readonly licence?: string;
  readonly weightsSha256?: string;
}

/** Names of the models that come with the package. */
export async function shippedModels(): Promise<string[]> {
  return (await readdir(shelf).catch(() => [])).sort();
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** The folder of a model: that of a shipped one by its name, or the folder named. Throws ERR_SINO_MODEL. */
export async function modelFolder(nameOrFolder: string): Promise<string> {
  const own = join(shelf, nameOrFolder);
  const folder = /^[a-z0-9-]+$/.test(nameOrFolder) && (await isFolder(own)) ? own : nameOrFolder;
  if (await isFolder(folder)) return folder;
  throw sinoError(
    "ERR_SINO_MODEL",
    `There is no model ${nameOrFolder}: name a folder that train wrote, or one of ${(await shippedModels()).join(", ") || "(none is shipped)"}.`,
    { details: { model: nameOrFolder } },
  );
}

/**
 * A model by the name of a shipped one, or by the folder that `sinogram train` wrote. Throws ERR_SINO_MODEL (no such model, or one that
 * does not make images of images), and what `loadTrained` throws.
 */
export async function restorationModel(
  nameOrFolder: string,
  { precision }: { precision?: Precision | undefined } = {},
): Promise<RestorationModel> {
  const folder = await modelFolder(nameOrFolder);
  const trained = await loadTrained(folder, { precision });
  if (trained.isSegmentation)
    throw sinoError("ERR_SINO_MODEL", `${nameOrFolder} gives masks (task segmentation); it restores no images.`);
  if (trained.diffusion && !isConditional(trained))
    throw sinoError(
      "ERR_SINO_MODEL",
      `${nameOrFolder} finds noise for sampling (task diffusion without targets); it restores no images.`,
    );
  const card = JSON.parse(await readFile(join(folder, "model.json"), "utf8")) as Card;
  return {
    trained,
    folder,
    name: card.name ?? basename(folder),
    modality: card.modality,
    unit: card.unit,
    factor: card.factor ?? 1,
    isConsistent: card.consistent ?? false,
    licence: card.licence,
    weightsSha256: card.weightsSha256,
  };
}

/**
 * A network that finds metal, by the name of a shipped one or by its folder. Throws ERR_SINO_MODEL (no such model, or one that finds no
 * metal in HU), and what `loadTrained` throws.
 */
export async function metalModel(nameOrFolder: string): Promise<MetalModel> {
  const folder = await modelFolder(nameOrFolder);
  const trained = await loadTrained(folder);
  const card = JSON.parse(await readFile(join(folder, "model.json"), "utf8")) as Card;
  if (!trained.isSegmentation || (card.unit !== undefined && card.unit !== "HU"))
    throw sinoError(
      "ERR_SINO_MODEL",
      `${nameOrFolder} ${trained.isSegmentation ? `segments images in ${card.unit}` : "gives no masks (its task is not segmentation)"}: expected a network that finds metal in HU, as metal.`,
      { details: { model: nameOrFolder } },
    );
  const { sha256 } = await fileDigest(join(folder, "weights.safetensors"));
  return { trained, name: card.name ?? basename(folder), weightsSha256: sha256 };
}
