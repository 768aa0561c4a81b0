/** Networks from one JSON description: for training, for use, and counted. */
export {
  addNetwork,
  type InputSpec,
  inputsOf,
  type NetworkDescription,
  type NetworkSize,
  networkKinds,
  parseNetwork,
} from "./description.ts";
export {
  activationModel,
  calibrationModel,
  explanationModel,
  featureModel,
  type NetworkSummary,
  networkIn,
  networkModel,
  shareInInt8,
  summarize,
  type Weights,
} from "./network.ts";
export { type Pruned, pruneNetwork } from "./prune.ts";
export { InputSource, type ParameterSpec, Scope, type Source } from "./scope.ts";
export type { UNetDescription } from "./unet.ts";
