/** Forward projection and its exact transpose. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import type { OperationOptions } from "../native/job.ts";
import type { OutputOptions } from "./batch.ts";
import type { Geometry } from "./geometry.ts";
import { operate, tablesOf } from "./operate.ts";
import { operationOf, type RouteOptions } from "./route.ts";

export type ProjectOptions = OperationOptions & OutputOptions & RouteOptions;

/**
 * Line integrals of images: [rows, columns] or [slices, rows, columns] in 1/mm become [views, bins] or
 * [slices, views, bins], dimensionless. Ray-driven with linear interpolation (Joseph, IEEE TMI 1982), or for parallel beams
 * through Fourier space (`route`).
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_MEMORY, ERR_SINO_UNSUPPORTED (route "fourier" of a fan).
 *
 * @example
 * const sinogram = await project(image, parallelBeam({ bins: 367, binMm: 1, angles: { span: 180, count: 360 }, image: { shape: [256, 256], pixelMm: 1 } }));
 */
export async function project(images: ArrayLike, geometry: Geometry, options: ProjectOptions = {}): Promise<Volume> {
  const tables = tablesOf(geometry);
  const operation = operationOf("project", geometry, options.route);
  return operate(operation, tables, images, { from: "images", to: "sinograms" }, options);
}

/**
 * The exact transpose of `project` by the same route: ⟨project(x), y⟩ = ⟨x, projectTranspose(y)⟩ up to float32 rounding. For iterative methods
 * and gradients; the back-projection inside FBP is another operation (`backproject`).
 */
export async function projectTranspose(
  sinograms: ArrayLike,
  geometry: Geometry,
  options: ProjectOptions = {},
): Promise<Volume> {
  const tables = tablesOf(geometry);
  const operation = operationOf("projectTranspose", geometry, options.route);
  return operate(operation, tables, sinograms, { from: "sinograms", to: "images" }, options);
}
