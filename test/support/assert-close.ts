/** Compares long numeric arrays without printing them: count of misses, the worst index, both values. */
import type { TypedArray } from "../../lib/core/arrays.ts";

export interface Tolerance {
  /** Largest allowed |actual − expected|. */
  atol?: number;
  /** Largest allowed |actual − expected| / |expected|, added to atol. */
  rtol?: number;
}

type Numbers = TypedArray | readonly number[];

export function assertClose(
  actual: Numbers,
  expected: Numbers,
  { atol = 0, rtol = 0 }: Tolerance,
  what = "array",
): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} elements where ${expected.length} were expected`);
  let misses = 0;
  let worst = -1;
  let worstExcess = 0;
  for (let i = 0; i < actual.length; i++) {
    const a = actual[i]!;
    const e = expected[i]!;
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const error = Math.abs(a - e);
    const excess = error - (atol + rtol * Math.abs(e));
    if (excess <= 0) continue;
    misses++;
    if (worst < 0 || !(excess <= worstExcess)) {
      worst = i;
      worstExcess = excess;
    }
  }
  if (misses > 0)
    throw new Error(
      `${what}: ${misses} of ${actual.length} elements differ; worst at ${worst}: ${actual[worst]} instead of ${expected[worst]} (atol ${atol}, rtol ${rtol})`,
    );
}

/** ‖actual − expected‖ / ‖expected‖ in double precision. */
export function relativeError(actual: Numbers, expected: Numbers): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

type TestedError = Error & { code: string; details: Record<string, number> };

/** Passes when `action` throws or rejects with this code; returns the error for further checks. */
export async function assertRejects(action: () => unknown, code: string): Promise<TestedError> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`threw a non-Error: ${String(error)}`);
    const found = (error as { code?: string }).code;
    if (found !== code) throw new Error(`expected ${code} but got ${found}: ${error.message}`);
    return error as TestedError;
  }
  throw new Error(`expected ${code} but nothing was thrown`);
}
