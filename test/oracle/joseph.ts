/** Joseph's projection and its transpose, ray by ray in double; slow and obvious. */
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { lineOf, pixelCentre } from "./rays.ts";

/** Calls visit(pixel, weight) for every pixel that a ray touches. */
function eachPixel(
  geometry: Geometry,
  view: number,
  bin: number,
  visit: (pixel: number, weight: number) => void,
): void {
  const [rows, columns] = geometry.image.shape;
  const [dy, dx] = geometry.image.pixelMm;
  const [x0, y0] = pixelCentre(geometry, 0, 0);
  const { px, py, vx, vy } = lineOf(geometry, view, bin);
  const alongRows = Math.abs(vy) * dx >= Math.abs(vx) * dy;
  const lines = alongRows ? rows : columns;
  const n = alongRows ? columns : rows;
  const weight = alongRows ? dy / Math.abs(vy) : dx / Math.abs(vx);
  for (let m = 0; m < lines; m++) {
    const place = alongRows
      ? (px + ((y0 - m * dy - py) * vx) / vy - x0) / dx
      : (y0 - (py + ((x0 + m * dx - px) * vy) / vx)) / dy;
    const i = Math.floor(place);
    const f = place - i;
    const pixel = (j: number) => (alongRows ? m * columns + j : j * columns + m);
    if (i >= 0 && i < n) visit(pixel(i), weight * (1 - f));
    if (i + 1 >= 0 && i + 1 < n) visit(pixel(i + 1), weight * f);
  }
}

export function josephProject(image: Float32Array, geometry: Geometry): Float64Array {
  const { bins, angles } = geometry;
  const sinogram = new Float64Array(angles.length * bins);
  for (let v = 0; v < angles.length; v++)
    for (let k = 0; k < bins; k++)
      eachPixel(geometry, v, k, (pixel, weight) => {
        sinogram[v * bins + k]! += weight * image[pixel]!;
      });
  return sinogram;
}

export function josephTranspose(sinogram: Float32Array, geometry: Geometry): Float64Array {
  const { bins, angles } = geometry;
  const image = new Float64Array(geometry.image.shape[0] * geometry.image.shape[1]);
  for (let v = 0; v < angles.length; v++)
    for (let k = 0; k < bins; k++)
      eachPixel(geometry, v, k, (pixel, weight) => {
        image[pixel]! += weight * sinogram[v * bins + k]!;
      });
  return image;
}
