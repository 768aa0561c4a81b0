/** Forward projection and its exact transpose. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import type { OperationOptions } from "../native/job.ts";
import { runJob } from "../native/job.ts";
import { batchOf, type OutputOptions, output, sinogramShape } from "./batch.ts";
import { type Geometry, nativeGeometry, requireGeometry } from "./geometry.ts";
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
  requireGeometry(geometry);
  const { data, slices, lead } = await batchOf(images, "images", geometry.image.shape, "rows × columns", options);
  const sinograms = output([...lead, ...sinogramShape(geometry)], options.out);
  await runJob(
    operationOf("project", geometry, options.route),
    {
      device: options.device ?? "auto",
      geometry: nativeGeometry(geometry),
      slices,
      images: data,
      sinograms: sinograms.data,
    },
    options,
  );
  return sinograms;
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
  requireGeometry(geometry);
  const { data, slices, lead } = await batchOf(
    sinograms,
    "sinograms",
    sinogramShape(geometry),
    "views × bins",
    options,
  );
  const images = output([...lead, ...geometry.image.shape], options.out);
  await runJob(
    operationOf("projectTranspose", geometry, options.route),
    {
      device: options.device ?? "auto",
      geometry: nativeGeometry(geometry),
      slices,
      sinograms: data,
      images: images.data,
    },
    options,
  );
  return images;
}
