/** Physics of the measurement: spectra, materials, noise, forward models. */
export * from "./constants.ts";
export * from "./forward.ts";
export * from "./materials.ts";
export { normalNoise, type PhotonNoiseOptions, photonNoise, type RandomOptions } from "./noise.ts";
export * from "./simulate.ts";
export * from "./spectrum.ts";
export { correctWater, type FitOptions, fieldWaterCorrection, fitWaterCorrection } from "./water-correction.ts";
