/** Generated images. */
export { type GenerateOptions, generate, type Sampler, samplers } from "./generate.ts";
export { type Judgement, judge } from "./judge.ts";
