/** How good images are: PSNR, SSIM, errors, and the field's protocols. */
export type { CompareOptions } from "./compare.ts";
export {
  type LesionDetection,
  type LesionOptions,
  lesionDetection,
  type Task,
  taskSnr,
} from "./detection.ts";
export * from "./evaluate.ts";
export { frechetDistance } from "./frechet.ts";
export { psnr, type RangeOptions, rmse, type SsimOptions, ssim } from "./metrics.ts";
export { msSsim } from "./ms-ssim.ts";
export { dice, type HausdorffOptions, hausdorff, type OverlapOptions } from "./overlap.ts";
export {
  type EdgeOptions,
  type EdgeProfile,
  edgeProfile,
  hotellingObserver,
  type NoisePower,
  type NoisePowerOptions,
  noisePowerSpectrum,
  type Observer,
  type ObserverOptions,
} from "./quality.ts";
export { type RingOptions, type Rings, ringErrors } from "./rings.ts";
