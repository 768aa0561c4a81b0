export type { BatchEvent, BatchProgress } from "./events.ts";
export type { JobRequest, JobSettings, MarJobOptions, ReconstructOptions, Task } from "./job.ts";
export { type BatchOptions, type BatchReport, runBatch } from "./run.ts";
export { type BatchStatus, batchStatus, type JobState, type JobStatus } from "./status.ts";
export {
  correctStream,
  reconstructStream,
  type Slices,
  type StreamedCorrection,
  type StreamedImage,
  type StreamedSlice,
  type StreamOptions,
  seriesStream,
} from "./stream.ts";
