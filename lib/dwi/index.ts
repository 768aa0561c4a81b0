/** Diffusion-weighted MR: b-tables, and denoisers that learn from the scan itself. */
export {
  type Direction,
  type Gradients,
  nearestPairs,
  readGradients,
  type Shell,
  shellNear,
  shellsOf,
} from "./gradients.ts";
export { type Denoised, type Noise2NoiseOptions, noise2noise } from "./noise2noise.ts";
export { type Patch2SelfOptions, patch2self } from "./patch2self.ts";
export { type RicianOptions, removeRicianBias } from "./rician.ts";
export { structureScore } from "./structure.ts";
