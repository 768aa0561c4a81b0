/** `sinogram reconstruct`: filtered back-projection of a sinogram file. */

import { muWater70keV } from "../physics/constants.ts";
import { type FilterName, fbp, scanOf } from "../tomography/fbp.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { readGeometry } from "../tomography/geometry-file.ts";
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
import { checkFileTarget, withFileOutputs } from "./outputs.ts";
import { recordText, sidecarPath } from "./sidecar.ts";

export interface ReconstructOptions {
  geometry: string;
  output: string;
  filter: FilterName;
  cutoff: number;
  hu?: boolean;
  muWater?: number;
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

export function reconstruct(input: string, given: ReconstructOptions): Command {
  return async (run) => {
    const { output, filter, cutoff, muWater = muWater70keV } = given;
    const target = checkOutputFormat(output);
    const inputs = [input, given.geometry];
    await checkFileTarget(target, inputs);
    const geometry = await readGeometry(given.geometry);
    const [loaded, reading] = await timed(() => load(input, run));
    const sinograms = requirePlanes(loaded, "a sinogram [view, bin]");
    warnOfMissingViews(geometry, run);
    const [images, computing] = await timed(async () => {
      const attenuation = await fbp(sinograms, geometry, { ...jobOptions(run), filter, cutoff });
      return given.hu ? huOfMu(attenuation, muWater, run) : attenuation;
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
          details: { filter, cutoff, scan: scanOf(geometry), ...(given.hu ? { muWater } : {}), shape: images.shape },
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
      filter,
      cutoff,
      seconds: computing,
    });
    return 0;
  };
}
