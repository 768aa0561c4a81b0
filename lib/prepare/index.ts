/** Data to train on. */
export { type PreparedSource, type PrepareOptions, type PrepareReport, prepareSlices } from "./prepare.ts";
export { type SplitName, splitOf } from "./split.ts";
