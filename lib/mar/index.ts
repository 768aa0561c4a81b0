/** Metal artefact reduction. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { type CorrectSinogramOptions, correctSinogram, type MetalKnown } from "./sinogram.ts";

export {
  type ChainOptions,
  type DiffusionImagesOptions,
  type DiffusionImagesResult,
  type DiffusionMarOptions,
  type DiffusionMarResult,
  type DiffusionOutcome,
  type DiffusionPrior,
  type DiffusionSlice,
  type DiffusionStart,
  diffusionImages,
  diffusionMar,
  type OpenPrior,
  openPrior,
  type PriorOptions,
} from "./diffusion/index.ts";
export type { GuardSignals, SliceVerdict, Verdict } from "./guard.ts";
export { type CorrectedImages, type CorrectImagesOptions, correctImages } from "./image.ts";
export { findMetal, findMetalInSinograms, type Metal, type MetalOptions, segmentMetal } from "./metal.ts";
export { type MetalNetworkOptions, type NetworkMetal, segmentMetalByNetwork } from "./metal-network.ts";
export {
  type MarEdgeModel,
  type MarPhysics,
  marPhysics,
  type PossibleMetal,
  possibleMetals,
} from "./physics.ts";
export { type PolychromaticOptions, type PolychromaticResult, polychromaticMar } from "./polychromatic.ts";
export {
  type CorrectedSinograms,
  type CorrectSinogramOptions,
  correctSinogram,
  type MarMethod,
  type MetalKnown,
  marMethods,
  metalTrace,
  reinsertMetal,
} from "./sinogram.ts";
export { virtualScan } from "./virtual-scan.ts";

type NamedOptions = Omit<CorrectSinogramOptions, "method">;

/** Images by linear interpolation across the metal trace; `correctSinogram` gives the sinograms too. */
export async function linearInterpolation(
  sinograms: ArrayLike,
  known: MetalKnown,
  geometry: Geometry,
  options: NamedOptions = {},
): Promise<Volume> {
  return (await correctSinogram(sinograms, known, geometry, { ...options, method: "li" })).images;
}

/** Images by normalised metal artefact reduction; `correctSinogram` gives the sinograms too. */
export async function nmar(
  sinograms: ArrayLike,
  known: MetalKnown,
  geometry: Geometry,
  options: NamedOptions = {},
): Promise<Volume> {
  return (await correctSinogram(sinograms, known, geometry, { ...options, method: "nmar" })).images;
}
