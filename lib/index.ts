/** Computed tomography for Node.js. docs/conventions.md has units, axes and geometry; docs/troubleshooting.md the error codes. */
export * from "./batch/index.ts";
export { type ArrayLike, type TypedArray, type Volume, volume } from "./core/arrays.ts";
export { type CodedError, type ErrorCode, errorCodes, isCodedError, SinogramError } from "./core/errors.ts";
export {
  type ArrayMeta,
  type LoadedArray,
  type ReadArrayOptions,
  readArray,
  toFloat32,
  type WriteArrayOptions,
  writeArray,
} from "./data/array-files.ts";
export {
  type CtSeries,
  type CtSlice,
  type DerivedSeries,
  listSeries,
  type ReadSeriesOptions,
  readSeries,
  type SeriesInfo,
  scanSeries,
  type WriteDerivedOptions,
  writeDerivedSeries,
} from "./data/dicom/index.ts";
export { type DataExchange, readDataExchange } from "./data/hdf5.ts";
export * from "./diffusion/index.ts";
export * from "./dwi/index.ts";
export {
  type ClassifierGuidance,
  type GenerateOptions,
  generate,
  type Judgement,
  type JudgeOptions,
  judge,
  namedConditions,
  openStages,
  type Sampler,
  samplers,
} from "./generate/index.ts";
export { type BiasField, type BiasFieldOptions, correctBiasField } from "./image/bias-field.ts";
export { type Components, connectedComponents, fillHoles, removeSmallComponents } from "./image/components.ts";
export {
  type BilateralOptions,
  type BlockMatchingOptions,
  bilateral,
  blockMatching,
  type MedianOptions,
  median,
  type NonLocalMeansOptions,
  noiseLevel,
  nonLocalMeans,
  type TotalVariationOptions,
  totalVariation,
} from "./image/denoise.ts";
export { type Distances, distanceTransform } from "./image/distance.ts";
export { type ClaheOptions, clahe, type EqualizeOptions, equalizeHistogram } from "./image/equalize.ts";
export { gaussian } from "./image/gaussian.ts";
export { toAttenuation, toHounsfield } from "./image/hounsfield.ts";
export { interpolateMasked } from "./image/interpolate.ts";
export { dilate, erode } from "./image/morphology.ts";
export { clip, combine, countNonFinite, select, statistics, threshold } from "./image/pixels.ts";
export { resample } from "./image/resample.ts";
export { tissuePrior, tissueThresholds } from "./image/tissue.ts";
export * from "./mar/index.ts";
export {
  dice,
  type EdgeProfile,
  type Evaluation,
  edgeProfile,
  evaluate,
  frechetDistance,
  hausdorff,
  hotellingObserver,
  type LesionDetection,
  type LesionOptions,
  lesionDetection,
  type Metrics,
  msSsim,
  type NoisePower,
  noisePowerSpectrum,
  psnr,
  type Rings,
  ringErrors,
  rmse,
  ssim,
  type Task,
  taskSnr,
} from "./metrics/index.ts";
export {
  type ApplyOptions,
  applyTrained,
  loadTrained,
  type MetalModel,
  type ModelOptions,
  metalModel,
  networkFeatures,
  type OnnxModel,
  openModel,
  quantizeTrained,
  type RestorationModel,
  restorationModel,
  shippedModels,
  type Trained,
} from "./models/index.ts";
export { type AddonDescription, addon, type DeviceInfo } from "./native/addon.ts";
export type { Device, JobOptions, Progress } from "./native/job.ts";
export { type NetworkDescription, networkModel, parseNetwork, summarize } from "./networks/index.ts";
export {
  type DatasetReport,
  type DatasetSource,
  type DetectedPhotonsOptions,
  detectedPhotons,
  type LowerDoseOptions,
  lowerDose,
  type ManifestLine,
  type Material,
  type MetalPair,
  type MetalPairOptions,
  makeSpectrum,
  materialNames,
  materialOf,
  muWater70keV,
  type Physics,
  type PhysicsJson,
  parsePhysics,
  physicsHash,
  physicsToJson,
  readPhysics,
  type SimulateDatasetOptions,
  type SimulatedScan,
  type SimulateScanOptions,
  type Spectrum,
  simulateDataset,
  simulateMetalPair,
  simulateScan,
  spectrumOf,
  type TungstenOptions,
  tungstenSpectrum,
} from "./physics/index.ts";
export { type PrepareOptions, type PrepareReport, prepareSlices } from "./prepare/index.ts";
export {
  type Consistent,
  type DataConsistencyOptions,
  type Denoiser,
  dataConsistency,
} from "./restore/data-consistency.ts";
export {
  addBiasField,
  coarserPixels,
  fewerViews,
  ricianNoise,
  simulateMotion,
  thickerSlices,
  truncateKspace,
  undersample,
} from "./restore/degrade.ts";
export {
  type ClassicalDenoiseOptions,
  type ClassicalDenoiser,
  type DenoiseOptions,
  denoise,
  denoiseByNetwork,
} from "./restore/denoise.ts";
export {
  type ChangeMaps,
  type ExplainOptions,
  type Explanation,
  explainChange,
  explainRestoration,
} from "./restore/explain.ts";
export { type LowDoseOptions, lowDoseImages } from "./restore/low-dose.ts";
export { type CorrectMotionOptions, correctMotion, type MotionCorrected } from "./restore/motion.ts";
export {
  type DegradationPipeline,
  type Degraded,
  type DegradeOptions,
  degradationPresets,
  degrade,
  parsePipeline,
} from "./restore/pipeline.ts";
export { type QuietPlaces, quietPlaces } from "./restore/quiet.ts";
export { type Refocused, type Refocusing, type RefocusOptions, refocus } from "./restore/refocus.ts";
export { type Roughness, sliceRoughness } from "./restore/slice-roughness.ts";
export { type EnlargeOptions, enlarge, superResolve } from "./restore/super-resolve.ts";
export { type Support, type SupportOptions, unsupportedStructure } from "./restore/support.ts";
export {
  backproject,
  type FilterName,
  type FilterOptions,
  fbp,
  filters,
  filterViews,
  type Scan,
  scanOf,
} from "./tomography/fbp.ts";
export {
  type AngleRange,
  type FanGeometry,
  type FanOptions,
  fanBeam,
  fullScan,
  type Geometry,
  halfFanDeg,
  type ParallelGeometry,
  type ParallelOptions,
  parallelBeam,
  shortScan,
} from "./tomography/geometry.ts";
export {
  geometryJsonSchema,
  geometryToJson,
  parseGeometry,
  readGeometry,
  writeGeometry,
} from "./tomography/geometry-file.ts";
export {
  type IterativeMethod,
  type IterativeOptions,
  type IterativeProgress,
  type IterativeResult,
  iterative,
  iterativeMethods,
} from "./tomography/iterative.ts";
export { createPlan, type Plan, type PlannedOperation, type PlanOptions } from "./tomography/plan.ts";
export { type ProjectOptions, project, projectTranspose } from "./tomography/project.ts";
export { rebin, rebinnedGeometry } from "./tomography/rebin.ts";
export { type Route, routes } from "./tomography/route.ts";
export {
  parseTraining,
  type TrainingConfig,
  type TrainingEvent,
  type TrainOptions,
  type TrainResult,
  train,
} from "./training/index.ts";
