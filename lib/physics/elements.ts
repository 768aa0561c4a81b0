/** Mass attenuation of elements between the energies that NIST publishes. */
import { sinoError } from "../core/errors.ts";
import { type Element, elementTable } from "./element-table.ts";

type Point = readonly [keV: number, cm2PerG: number];

/** A natural cubic spline: knots x, values y, second derivatives m. */
interface Spline {
  x: number[];
  y: number[];
  m: number[];
}

/** Second derivatives of the natural spline by elimination of its tridiagonal system. */
function splineOf(x: number[], y: number[]): Spline {
  const n = x.length;
  const m = new Array<number>(n).fill(0);
  const upper = new Array<number>(n).fill(0);
  for (let i = 1; i < n - 1; i++) {
    const [left, right] = [x[i]! - x[i - 1]!, x[i + 1]! - x[i]!];
    const bend = 6 * ((y[i + 1]! - y[i]!) / right - (y[i]! - y[i - 1]!) / left);
    const pivot = 2 * (left + right) - left * upper[i - 1]!;
    upper[i] = right / pivot;
    m[i] = (bend - left * m[i - 1]!) / pivot;
  }
  for (let i = n - 2; i > 0; i--) m[i] = m[i]! - upper[i]! * m[i + 1]!;
  return { x, y, m };
}

function splineAt({ x, y, m }: Spline, at: number): number {
  let i = 0;
  while (i < x.length - 2 && x[i + 1]! < at) i++;
  const h = x[i + 1]! - x[i]!;
  const [a, b] = [(x[i + 1]! - at) / h, (at - x[i]!) / h];
  return a * y[i]! + b * y[i + 1]! + (((a ** 3 - a) * m[i]! + (b ** 3 - b) * m[i + 1]!) * h * h) / 6;
}

const splines = new Map<Element, Spline[]>();

function splinesOf(element: Element): Spline[] {
  const known = splines.get(element);
  if (known) return known;
  const stretches: readonly (readonly Point[])[] = elementTable[element];
  const made = stretches.map((points) =>
    splineOf(
      points.map(([keV]) => Math.log(keV)),
      points.map(([, mu]) => Math.log(mu)),
    ),
  );
  splines.set(element, made);
  return made;
}

/** Absorption edges within the table, keV. */
export function edgesOf(element: Element): number[] {
  const stretches: readonly (readonly Point[])[] = elementTable[element];
  return stretches.slice(1).map((points) => points[0]![0]);
}

/**
 * µ/ρ of an element in cm²/g: a natural cubic spline of log µ/ρ over log E between published energies, separate on either
 * side of an edge (0.1 % of XCOM's own values from 20 to 150 keV). At an edge the value above it, or with `below` the one below.
 * Throws ERR_SINO_OUT_OF_RANGE outside the table.
 */
export function elementAttenuation(element: Element, keV: number, below = false): number {
  const stretches: readonly (readonly Point[])[] = elementTable[element];
  const [first, last] = [stretches[0]![0]![0], stretches.at(-1)!.at(-1)![0]];
  if (!(keV >= first && keV <= last))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `The table of ${element} covers ${first} to ${last} keV but ${keV} keV was asked for.`,
      { details: { keV, first, last } },
    );
  const i = edgesOf(element).filter((edge) => (below ? edge < keV : edge <= keV)).length;
  return Math.exp(splineAt(splinesOf(element)[i]!, Math.log(keV)));
}
