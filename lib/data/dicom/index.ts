/** DICOM series in, derived series out. */
export { type ListOptions, listSeries, type Scan, type SeriesInfo, scanSeries } from "./list.ts";
export { type CtSeries, paddingHu, type ReadSeriesOptions, readSeries } from "./read.ts";
export type { CtSlice, Vector } from "./slice.ts";
export { type DerivedSeries, type WriteDerivedOptions, writeDerivedSeries } from "./write.ts";
