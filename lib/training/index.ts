/** Training: a step is one ONNX model (step-graph.ts), a run is a loop around it (train.ts). docs/training.md. */

export { parseTraining, type TrainingConfig } from "./config.ts";
export type { OptimizerOptions } from "./optimizer.ts";
export { type RateSchedule, rateFactor } from "./schedule.ts";
export { type LossDescription, type Recipe, type StepGraph, type StepGraphOptions, stepGraph } from "./step-graph.ts";
export { type TrainingEvent, type TrainOptions, type TrainResult, train } from "./train.ts";
