/**
 * Geometry: image grid, detector and view angles in one object, shared by the simulator, the projector, FBP and every
 * metal-artefact method, so that they cannot disagree. docs/conventions.md has the drawing.
 *
 * Lengths in mm, angles in degrees. At view angle θ the detector axis points along û = (cos θ, sin θ) and the middle of the
 * beam runs along d̂ = (−sin θ, cos θ); a fan's source stands at −sod·d̂. Bin k lies at (k − (bins − 1)/2 − offsetBins)·binMm
 * along û, so the ray through the rotation axis hits bin (bins − 1)/2 + offsetBins. A negative pitch runs the bins the other way.
 */
import { show, sinoError } from "../core/errors.ts";

export interface ImageGrid {
  /** Rows, columns. */
  readonly shape: readonly [number, number];
  /** Row spacing, column spacing in mm. */
  readonly pixelMm: readonly [number, number];
  /** Where the middle of the image lies, x (to the right) and y (up) in mm from the rotation axis. */
  readonly centreMm: readonly [number, number];
}

interface Common {
  readonly bins: number;
  readonly offsetBins: number;
  /** One angle per view, degrees, any order. */
  readonly angles: Float64Array;
  readonly image: ImageGrid;
  readonly name?: string;
}

export interface ParallelGeometry extends Common {
  readonly beam: "parallel";
  readonly binMm: number;
}

export interface FanGeometry extends Common {
  readonly beam: "fan";
  readonly detector: "flat" | "arc";
  /** Source to rotation axis, mm. */
  readonly sod: number;
  /** Source to detector, mm. */
  readonly sdd: number;
  /** Pitch on the detector (along the arc where it is one), mm. */
  readonly binMm: number;
}

export type Geometry = ParallelGeometry | FanGeometry;

/** Equally spaced angles: `start + i·span/count`, moved by half a step where `cellCentred`. Degrees. */
export interface AngleRange {
  start?: number;
  span: number;
  count: number;
  cellCentred?: boolean;
}

export interface ImageOptions {
  shape: readonly [number, number] | readonly number[];
  pixelMm: number | readonly [number, number] | readonly number[];
  centreMm?: readonly [number, number] | readonly number[];
}

export interface ParallelOptions {
  bins: number;
  binMm: number;
  offsetBins?: number;
  angles: ArrayLike<number> | AngleRange;
  image: ImageOptions;
  name?: string;
}

export interface FanOptions {
  detector: "flat" | "arc";
  sod: number;
  sdd: number;
  bins: number;
  /** Pitch on the detector in mm; for an arc either this or `binDeg`. */
  binMm?: number;
  /** Pitch of an arc detector as seen from the source, degrees. */
  binDeg?: number;
  offsetBins?: number;
  angles: ArrayLike<number> | AngleRange;
  image: ImageOptions;
  name?: string;
}

function positive(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a positive number for ${name} but received ${show(value)}.`);
  return value;
}

function finite(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a finite number for ${name} but received ${show(value)}.`);
  return value;
}

function count(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a positive integer for ${name} but received ${show(value)}.`);
  return value;
}

function pitch(value: unknown, name: string): number {
  if (finite(value, name) === 0) throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a pitch other than 0 for ${name}.`);
  return value as number;
}

const isRange = (angles: ParallelOptions["angles"]): angles is AngleRange => "span" in angles;

/** A list of angles in degrees from a list or a range. */
export function viewAngles(angles: ParallelOptions["angles"]): Float64Array {
  if (angles === null || typeof angles !== "object")
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected angles as a list or {start, span, count} but received ${show(angles)}.`,
    );
  if (!isRange(angles)) {
    if (angles.length === 0)
      throw sinoError("ERR_SINO_OUT_OF_RANGE", "Expected at least one view angle but received none.");
    const list = Float64Array.from(angles);
    const bad = list.findIndex((angle) => !Number.isFinite(angle));
    if (bad >= 0)
      throw sinoError("ERR_SINO_OUT_OF_RANGE", `View angle ${bad} is ${list[bad]}; angles must be finite degrees.`);
    return list;
  }
  const n = count(angles.count, "angles.count");
  const step = finite(angles.span, "angles.span") / n;
  const first = finite(angles.start ?? 0, "angles.start") + (angles.cellCentred ? step / 2 : 0);
  return Float64Array.from({ length: n }, (_, i) => first + i * step);
}

function imageGrid(image: ImageOptions): ImageGrid {
  if (!image || typeof image !== "object" || image.shape?.length !== 2)
    throw sinoError("ERR_SINO_SHAPE", `Expected image {shape: [rows, columns], pixelMm} but received ${show(image)}.`);
  const [dy, dx] = typeof image.pixelMm === "number" ? [image.pixelMm, image.pixelMm] : (image.pixelMm ?? []);
  const [x, y] = image.centreMm ?? [0, 0];
  return {
    shape: [count(image.shape[0], "image.shape[0]"), count(image.shape[1], "image.shape[1]")],
    pixelMm: [positive(dy, "image.pixelMm"), positive(dx, "image.pixelMm")],
    centreMm: [finite(x, "image.centreMm"), finite(y, "image.centreMm")],
  };
}

/** A parallel-beam scan. Throws ERR_SINO_OUT_OF_RANGE or ERR_SINO_SHAPE with the field's name. */
export function parallelBeam(options: ParallelOptions): ParallelGeometry {
  return {
    beam: "parallel",
    bins: count(options.bins, "bins"),
    binMm: pitch(options.binMm, "binMm"),
    offsetBins: finite(options.offsetBins ?? 0, "offsetBins"),
    angles: viewAngles(options.angles),
    image: imageGrid(options.image),
    ...(options.name ? { name: options.name } : {}),
  };
}

/** A fan-beam scan with a flat or an arc (equiangular) detector. Throws ERR_SINO_OUT_OF_RANGE or ERR_SINO_SHAPE. */
export function fanBeam(options: FanOptions): FanGeometry {
  const { detector } = options;
  if (detector !== "flat" && detector !== "arc")
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected detector "flat" or "arc" but received ${show(detector)}.`);
  const sod = positive(options.sod, "sod");
  const sdd = positive(options.sdd, "sdd");
  if (sdd < sod)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected sdd (source to detector) at least sod (source to axis) but received sdd ${sdd} and sod ${sod}. Some packages give the distance from axis to detector: add sod to it.`,
    );
  if ((options.binMm === undefined) === (options.binDeg === undefined))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", "Expected exactly one of binMm and binDeg.");
  if (options.binDeg !== undefined && detector === "flat")
    throw sinoError("ERR_SINO_OUT_OF_RANGE", "A flat detector has bins of equal length: give binMm, not binDeg.");
  const binMm = options.binMm ?? (pitch(options.binDeg, "binDeg") * Math.PI * sdd) / 180;
  return {
    beam: "fan",
    detector,
    sod,
    sdd,
    bins: count(options.bins, "bins"),
    binMm: pitch(binMm, "binMm"),
    offsetBins: finite(options.offsetBins ?? 0, "offsetBins"),
    angles: viewAngles(options.angles),
    image: imageGrid(options.image),
    ...(options.name ? { name: options.name } : {}),
  };
}

/** Throws ERR_SINO_ARG_TYPE for what parallelBeam, fanBeam or parseGeometry cannot have made. */
export function requireGeometry(geometry: unknown): asserts geometry is Geometry {
  const { beam, bins, angles, image } = (geometry ?? {}) as Partial<Geometry>;
  const isBeam = beam === "parallel" || beam === "fan";
  if (!isBeam || typeof bins !== "number" || !(angles instanceof Float64Array) || image?.shape?.length !== 2)
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected a geometry made by parallelBeam, fanBeam or readGeometry but received ${show(geometry)}.`,
    );
}

/** Largest angle of a fan to either side of its central ray, degrees; 0 for a parallel beam. */
export function halfFanDeg(geometry: Geometry): number {
  if (geometry.beam === "parallel") return 0;
  const { bins, offsetBins, binMm, sdd, detector } = geometry;
  const u = ((bins - 1) / 2 + Math.abs(offsetBins)) * Math.abs(binMm);
  return ((detector === "arc" ? u / sdd : Math.atan(u / sdd)) * 180) / Math.PI;
}

/** A full turn of `views` angles; cell-centred ones begin half a step in. */
export function fullScan(views: number, { start = 0, cellCentred = false } = {}): Float64Array {
  return viewAngles({ start, span: 360, count: views, cellCentred });
}

/** The shortest complete scan: 180° for a parallel beam, 180° plus the fan angle otherwise. */
export function shortScan(geometry: Omit<Geometry, "angles">, views: number, { start = 0 } = {}): Float64Array {
  const span = 180 + 2 * halfFanDeg(geometry as Geometry);
  if (geometry.beam === "parallel") return viewAngles({ start, span, count: views });
  const step = span / Math.max(1, views - 1);
  return Float64Array.from({ length: count(views, "views") }, (_, i) => start + i * step);
}

/** The geometry as the addon takes it. */
export function nativeGeometry(geometry: Geometry): object {
  const { image, bins, offsetBins, angles } = geometry;
  const fan = geometry.beam === "fan";
  const pitch = !fan
    ? geometry.binMm
    : geometry.detector === "flat"
      ? (geometry.binMm * geometry.sod) / geometry.sdd
      : geometry.binMm / geometry.sdd;
  return {
    beam: fan ? geometry.detector : "parallel",
    rows: image.shape[0],
    columns: image.shape[1],
    dy: image.pixelMm[0],
    dx: image.pixelMm[1],
    centreX: image.centreMm[0],
    centreY: image.centreMm[1],
    bins,
    offsetBins,
    pitch,
    sod: fan ? geometry.sod : 0,
    angles,
  };
}
