/**
 * Rigid motion out of complex MR slices, without a model: where the slice lay at every line of k-space is what makes the image sharpest
 * (native/recon/refocus.h has the method and its sources), and the image is the one that explains the measured lines from there.
 */
import { type ArrayLike, checkArray, transposed, type Volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { floats, newImage, planesOf, requireNumber, requireOneOf, requireSameShape } from "../image/input.ts";
import { combine, requireFinite } from "../image/pixels.ts";
import { type JobOptions, type OperationOptions, runJob } from "../native/job.ts";

export interface RefocusOptions extends OperationOptions, JobOptions {
  /** Along which axis of the slice the phase was encoded: down the columns (default; DICOM's "COL") or along the rows ("ROW"). */
  phase?: "column" | "row" | undefined;
  /** How far the slice is taken to turn to either side, degrees, up to 20; default 8. */
  degrees?: number | undefined;
  /** How far it is taken to move to either side, pixels, up to 100; default 10. */
  pixels?: number | undefined;
}

/** Of one slice. */
export interface Refocusing {
  /** Gradient entropy of the image, before and after: less is sharper. */
  readonly before: number;
  readonly after: number;
  /** Whether it became so much sharper that the correction was taken; else the slice is as it was. */
  readonly isCorrected: boolean;
  /** The corrected image put through the motion, against what was measured: ‖difference‖ / ‖measured‖. */
  readonly misfit: number;
  /** Of a periodic motion, per scan; 0: sudden. */
  readonly periods: number;
  readonly jumps: number;
}

export interface Refocused {
  /** Magnitudes. */
  images: Volume;
  /** Of every line of k-space of every slice, from the most negative frequency up: degrees counter-clockwise, then pixels down and right. */
  turn: Float64Array;
  down: Float64Array;
  right: Float64Array;
  slices: readonly Refocusing[];
}

/** Entropy falls by 0.05 to 0.1 where motion of a few pixels is undone, by up to 0.02 where the search has met nothing but noise. */
const leastGain = 0.02;
const reportLength = 6;

/**
 * Complex MR slices, [row, column] or [slice, row, column], as real and imaginary part, without the ghosts and blur of a head that moved in
 * the plane while k-space was measured line by line: a few sudden changes, or to and fro. The place of the middle line is the image's. A slice
 * that does not become clearly sharper stays as it was. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN, fewer than 16 rows or
 * columns, more than 4096).
 *
 * @example
 * const { images, slices } = await refocus(real, imaginary, { phase: "row" });
 */
export async function refocus(real: ArrayLike, imaginary: ArrayLike, options: RefocusOptions = {}): Promise<Refocused> {
  const { phase = "column", degrees = 8, pixels = 10, signal, onProgress } = options;
  requireOneOf(phase, "phase", ["column", "row"]);
  requireNumber(degrees, "degrees", "an angle from 0 to 20", (d) => d >= 0 && d <= 20);
  requireNumber(pixels, "pixels", "a number of pixels from 0 to 100", (p) => p >= 0 && p <= 100);
  checkArray(real, "real", [2, 3]);
  checkArray(imaginary, "imaginary", [2, 3]);
  requireSameShape(imaginary, "imaginary", real, "real");
  const [height, width] = real.shape.slice(-2) as [number, number];
  if (Math.min(height, width) < 16 || Math.max(height, width) > 4096)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected slices of 16 to 4096 rows and columns but received ${height} × ${width}.`,
      { details: { shape: real.shape } },
    );
  for (const [part, name] of [
    [real, "real"],
    [imaginary, "imaginary"],
  ] as const)
    await requireFinite(part, name, { signal });
  const isUpright = phase === "column";
  const parts = isUpright ? [real, imaginary] : [transposed(real), transposed(imaginary)];
  const result = newImage(parts[0]!.shape);
  const { slices, rows, columns } = planesOf(result.shape);
  const path = () => new Float64Array(slices * rows);
  const [turn, down, right, report] = [path(), path(), path(), new Float64Array(slices * reportLength)];
  const job = { device: "cpu", slices, rows, columns, degrees, pixels, leastGain };
  await runJob(
    "refocus",
    {
      ...job,
      real: await floats(parts[0]!, "real", { signal }),
      imaginary: await floats(parts[1]!, "imaginary", { signal }),
      output: result.data,
      ...{ turn, down, right, report },
    },
    { signal, onProgress },
  );
  const found = Array.from({ length: slices }, (_, s) => {
    const [before, after, misfit, periods, jumps, corrected] = report.subarray(s * reportLength) as unknown as number[];
    return {
      before: before!,
      after: after!,
      misfit: misfit!,
      periods: periods!,
      jumps: jumps!,
      isCorrected: corrected === 1,
    };
  });
  if (isUpright) return { images: result, turn, down, right, slices: found };
  // seen upon its side: the axes change places, and with them which way a turn goes
  const images = await combine([[1, transposed(result)]], { signal });
  return { images, turn: turn.map((t) => -t), down: right, right: down, slices: found };
}
