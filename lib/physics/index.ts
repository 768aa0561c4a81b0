/** Physics of the measurement: spectra, materials, noise, forward models, simulated scans. */
export * from "./constants.ts";
export {
  type DatasetReport,
  type DatasetSource,
  type ManifestLine,
  type SimulateDatasetOptions,
  simulateDataset,
} from "./dataset.ts";
export * from "./detector.ts";
export * from "./forward.ts";
export * from "./materials.ts";
export { normalNoise, type PhotonNoiseOptions, photonNoise, type RandomOptions } from "./noise.ts";
export * from "./physics.ts";
export { type SimulatedScan, type SimulateScanOptions, simulateScan } from "./scan.ts";
export * from "./simulate.ts";
export * from "./spectrum.ts";
export { type TungstenOptions, tungstenSpectrum } from "./tungsten.ts";
export { correctWater, type FitOptions, fieldWaterCorrection, fitWaterCorrection } from "./water-correction.ts";
