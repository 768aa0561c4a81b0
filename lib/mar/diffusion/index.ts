/** Dual-domain diffusion: a prior of images without metal, plugged into sinogram and image. */
export { type Anatomy, anatomies } from "./anatomy.ts";
export {
  type ChainOptions,
  type ChainSampler,
  chainDefaults,
  chainSamplers,
  type Fill,
} from "./chain.ts";
export { type DiffusionImagesOptions, type DiffusionImagesResult, diffusionImages } from "./image.ts";
export type { DiffusionOutcome } from "./lanes.ts";
export { type DiffusionPrior, type OpenPrior, openPrior, type PriorOptions } from "./prior.ts";
export { type DiffusionMarOptions, type DiffusionMarResult, type DiffusionSlice, diffusionMar } from "./sinogram.ts";
export { type DiffusionStart, diffusionStarts } from "./starts.ts";
export { type Fusion, fusions, type WeightMask, weightMasks } from "./weights.ts";
