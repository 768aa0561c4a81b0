/** Networks in use: models in threads of their own (model.ts), trained networks on images of any size (apply.ts). */
export { type ApplyOptions, applyTrained } from "./apply.ts";
export type { DrawOptions } from "./drawn.ts";
export { type FeatureOptions, networkFeatures } from "./features.ts";
export { type ModelOptions, type OnnxModel, openModel } from "./model.ts";
export { type QuantizeOptions, type QuantizeReport, quantizeTrained } from "./quantize.ts";
export type { Provider, Values } from "./session.ts";
export { type MetalModel, metalModel, type RestorationModel, restorationModel, shippedModels } from "./shipped.ts";
export {
  type ConditionNames,
  loadTrained,
  type Precision,
  precisions,
  type Trained,
} from "./trained.ts";
