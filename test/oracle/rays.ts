/** Where rays run, worked out again from docs/conventions.md, in double and without any code of the product. */
import type { Geometry } from "../../lib/tomography/geometry.ts";

export interface Line {
  /** A point on the line and a unit direction, mm. */
  px: number;
  py: number;
  vx: number;
  vy: number;
}

export function lineOf(geometry: Geometry, view: number, bin: number): Line {
  const theta = (geometry.angles[view]! * Math.PI) / 180;
  const u = (bin - (geometry.bins - 1) / 2 - geometry.offsetBins) * geometry.binMm;
  const axis = [Math.cos(theta), Math.sin(theta)] as const;
  const beam = [-Math.sin(theta), Math.cos(theta)] as const;
  if (geometry.beam === "parallel") return { px: u * axis[0], py: u * axis[1], vx: beam[0], vy: beam[1] };
  const gamma = geometry.detector === "arc" ? u / geometry.sdd : Math.atan(u / geometry.sdd);
  return {
    px: -geometry.sod * beam[0],
    py: -geometry.sod * beam[1],
    vx: Math.cos(gamma) * beam[0] + Math.sin(gamma) * axis[0],
    vy: Math.cos(gamma) * beam[1] + Math.sin(gamma) * axis[1],
  };
}

/** Centre of a pixel, mm. */
export function pixelCentre(geometry: Geometry, row: number, column: number): [number, number] {
  const { shape, pixelMm, centreMm } = geometry.image;
  return [
    centreMm[0] + (column - (shape[1] - 1) / 2) * pixelMm[1],
    centreMm[1] - (row - (shape[0] - 1) / 2) * pixelMm[0],
  ];
}
