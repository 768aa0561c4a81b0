/** `--metal-model`: the network that says where the metal is, and what records say of it. */
import type { ArrayLike } from "../core/arrays.ts";
import { type NetworkMetal, segmentMetalByNetwork } from "../mar/metal-network.ts";
import { type MetalModel, metalModel } from "../models/shipped.ts";
import { jobOptions, type Run } from "./command.ts";
import type { MarOptions } from "./mar.ts";

/** The model of `--metal-model`, read before anything is computed; undefined where none is asked for. */
export const openMetalModel = ({ metalModel: name }: MarOptions): Promise<MetalModel | undefined> =>
  name === undefined ? Promise.resolve(undefined) : metalModel(name);

/** What the metal follows from, for records and the identity of derived series. */
export const metalDetails = (model: MetalModel | undefined) =>
  model && { name: model.name, network: model.weightsSha256 };

/** The metal of HU images by the network, its doubts as warnings; undefined where no network is asked for. */
export async function foundByNetwork(
  images: ArrayLike,
  model: MetalModel | undefined,
  { metalHu, minimumPixels }: MarOptions,
  run: Run,
): Promise<NetworkMetal | undefined> {
  if (!model) return undefined;
  const { threads } = run.options;
  const found = await segmentMetalByNetwork(images, model.trained, {
    ...{ ...jobOptions(run), metalHu, minimumPixels, threads },
  });
  for (const warning of found.warnings) run.console.warn(warning);
  return found;
}

/** Where metal was looked for, for reports: "at or above 2500 HU", or the network's name. */
export const metalWords = (metalHu: number, model: MetalModel | undefined): string =>
  model ? `by the network ${model.name}` : `at or above ${Math.round(metalHu)} HU`;
