/** Diffusion: noise schedules, timesteps, samplers as plain data, and the steps that run natively. docs/diffusion.md. */
export type { ClipOptions, SamplerPlan, SamplerStep, StepRow } from "./plan.ts";
export { type Prediction, predictions } from "./prediction.ts";
export { type DdimOptions, ddim } from "./samplers/ddim.ts";
export { type DdpmOptions, ddpm, posteriorVariance, type Variance } from "./samplers/ddpm.ts";
export { type DpmSolverOptions, dpmSolver } from "./samplers/dpm-solver.ts";
export {
  type DualDomainImages,
  type DualDomainOptions,
  type DualDomainStep,
  type DualDomainStepOptions,
  dualDomain,
  dualDomainStep,
} from "./samplers/dual-domain.ts";
export { type EulerOptions, euler, heun } from "./samplers/euler.ts";
export { type UniPcOptions, uniPc } from "./samplers/unipc.ts";
export {
  type LossWeightOptions,
  lossWeights,
  noiseSchedule,
  type Schedule,
  type ScheduleKind,
  type ScheduleOptions,
  snr,
} from "./schedule.ts";
export {
  type Model,
  type ModelOutput,
  type NoiseOptions,
  type SampleOptions,
  type SamplerState,
  sample,
  samplerState,
  samplingStep,
} from "./step.ts";
export {
  edmLevels,
  type KarrasOptions,
  karrasLevels,
  karrasSigmas,
  type LevelOptions,
  levelsOf,
  type NoiseLevels,
  type Spacing,
  type SpacingOptions,
  sectionTimesteps,
  startingTimesteps,
  type Timesteps,
  timesteps,
} from "./timesteps.ts";
