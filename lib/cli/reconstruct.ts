/** `sinogram reconstruct`: a sinogram file by filtered back-projection or iteratively. */

import type { TypedArray, Volume } from "../core/arrays.ts";
import { muWater70keV } from "../physics/constants.ts";
import { type FilterName, fbp, scanOf } from "../tomography/fbp.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { readGeometry } from "../tomography/geometry-file.ts";
import { type IterativeMethod, iterative } from "../tomography/iterative.ts";
import {
  type Command,
  checkOutputFormat,
  huOfMu,
  jobOptions,
  load,
  type Run,
  requirePlanes,
  sizes,
  timed,
} from "./command.ts";
import { UsageError } from "./failure.ts";
import { checkFileTarget, withFileOutputs } from "./outputs.ts";
import { recordText, sidecarPath } from "./sidecar.ts";

export interface ReconstructOptions {
  geometry: string;
  output: string;
  filter: FilterName;
  cutoff: number;
  method: "fbp" | IterativeMethod;
  iterations?: number;
  subsets?: number;
  tolerance?: number;
  weight?: number;
  nonNegative?: boolean;
  hu?: boolean;
  muWater?: number;
}

/** Enough for a look; the record says how many there were. */
const usualIterations = { sirt: 100, "os-sart": 10, cgls: 20, tv: 100 };

/** By the chosen method: attenuation, and what the record says of how it was made. */
async function attenuationOf(sinograms: Volume<TypedArray>, geometry: Geometry, given: ReconstructOptions, run: Run) {
  const { method, filter, cutoff } = given;
  if (method === "fbp") {
    const image = await fbp(sinograms, geometry, { ...jobOptions(run), filter, cutoff });
    return { image, details: { method, filter, cutoff } };
  }
  const { iterations = usualIterations[method], subsets, tolerance, weight, nonNegative } = given;
  const chosen = { method, iterations, subsets, tolerance, weight, ...(nonNegative ? { low: 0 } : {}) };
  const { image, residuals } = await iterative(sinograms, geometry, { ...jobOptions(run), ...chosen });
  return { image, details: { ...chosen, residuals: [...residuals.data].map((r) => (Number.isNaN(r) ? null : r)) } };
}

/** Says so where views are missing, so that the image cannot be whole. */
export function warnOfMissingViews(geometry: Geometry, { console }: Run): void {
  const { coverage, coveredDeg, innerGapDeg } = scanOf(geometry);
  if (coverage === "limited")
    console.warn(
      `The views cover ${coveredDeg.toFixed(1)}°, less than a complete scan: edges along the missing directions will be lost.`,
    );
  if (innerGapDeg > 0)
    console.warn(
      `There is a gap of ${innerGapDeg.toFixed(1)}° between neighbouring views: the image will have streaks across it. Are views missing from the list of angles?`,
    );
}

function checkMethod({ method, iterations, subsets, tolerance, weight, nonNegative }: ReconstructOptions): void {
  const given = Object.entries({ iterations, subsets, tolerance, weight, "non-negative": nonNegative });
  const [name] = given.find(([, value]) => value !== undefined) ?? [];
  if (method === "fbp" && name !== undefined)
    throw new UsageError(`--${name} is for iterative methods: add --method sirt, os-sart, cgls or tv.`);
}

export function reconstruct(input: string, given: ReconstructOptions): Command {
  return async (run) => {
    const { output, method, filter, muWater = muWater70keV } = given;
    checkMethod(given);
    const target = checkOutputFormat(output);
    const inputs = [input, given.geometry];
    await checkFileTarget(target, inputs);
    const geometry = await readGeometry(given.geometry);
    const [loaded, reading] = await timed(() => load(input, run));
    const sinograms = requirePlanes(loaded, "a sinogram [view, bin]");
    warnOfMissingViews(geometry, run);
    const [{ images, details }, computing] = await timed(async () => {
      const { image, details } = await attenuationOf(sinograms, geometry, given, run);
      return { images: given.hu ? await huOfMu(image, muWater, run) : image, details };
    });
    const unit = given.hu ? "HU" : "1/mm";
    const paths = await withFileOutputs(run.signal, async (outputs) => {
      const [, writing] = await timed(() => outputs.array(output, images));
      const text = recordText(
        {
          command: "reconstruct",
          unit,
          inputs: { sinogram: input, shape: sinograms.shape, geometry: given.geometry },
          outputs: [output],
          geometry,
          details: { ...details, scan: scanOf(geometry), ...(given.hu ? { muWater } : {}), shape: images.shape },
          seconds: { reading, computing, writing },
        },
        run,
      );
      await outputs.file(await sidecarPath(target, inputs), text);
    });
    run.console.log(`${output}: ${sizes(images.shape)}, ${unit}, ${computing.toFixed(2)} s`);
    await run.console.result({
      output,
      record: paths[1],
      shape: images.shape,
      unit,
      ...(method === "fbp" ? { filter, cutoff: given.cutoff } : { method }),
      seconds: computing,
    });
    return 0;
  };
}
