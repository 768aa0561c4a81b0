/** Generated images. */
export type { ClassifierGuidance } from "./classifier.ts";
export { namedConditions } from "./conditions.ts";
export { type GenerateOptions, generate, type Sampler, samplers } from "./generate.ts";
export { type Judgement, type JudgeOptions, judge } from "./judge.ts";
export { openStages, type Stage } from "./stages.ts";
