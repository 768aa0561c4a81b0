/** How good images are: PSNR, SSIM, errors, and the field's protocols. */
export type { CompareOptions } from "./compare.ts";
export * from "./evaluate.ts";
export { psnr, type RangeOptions, rmse, type SsimOptions, ssim } from "./metrics.ts";
export { type RingOptions, type Rings, ringErrors } from "./rings.ts";
