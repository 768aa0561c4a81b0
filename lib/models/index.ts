/** Networks in use: models in threads of their own (model.ts), trained networks on images of any size (trained.ts). */
export { type FeatureOptions, networkFeatures } from "./features.ts";
export { type ModelOptions, type OnnxModel, openModel } from "./model.ts";
export { type QuantizeOptions, type QuantizeReport, quantizeTrained } from "./quantize.ts";
export type { Provider, Values } from "./session.ts";
export { type MetalModel, metalModel, type RestorationModel, restorationModel, shippedModels } from "./shipped.ts";
export {
  type ApplyOptions,
  applyTrained,
  type ConditionNames,
  loadTrained,
  type Precision,
  precisions,
  type Trained,
} from "./trained.ts";
