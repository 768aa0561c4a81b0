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
export { type Patch2SelfOptions, patch2self } from "./patch2self.ts";
export { type RicianOptions, removeRicianBias } from "./rician.ts";
