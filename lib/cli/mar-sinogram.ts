/** `sinogram mar --sinogram`: a measured sinogram with a mask of its metal. */
import { dirname, join } from "node:path";
import { sinoError } from "../core/errors.ts";
import { statistics } from "../image/pixels.ts";
import { correctSinogram, reinsertMetal } from "../mar/sinogram.ts";
import { muWater70keV } from "../physics/constants.ts";
import { writeReport } from "../report/report.ts";
import { fbp } from "../tomography/fbp.ts";
import { readGeometry } from "../tomography/geometry-file.ts";
import {
  type Command,
  checkOutputFormat,
  huOfMu,
  jobOptions,
  load,
  quietly,
  type Run,
  requirePlanes,
  sizes,
  timed,
} from "./command.ts";
import type { MarOptions } from "./mar.ts";
import { describeGeometry, methodNames } from "./mar-words.ts";
import { checkFileTarget, checkReportTargets, withFileOutputs } from "./outputs.ts";
import { warnOfMissingViews } from "./reconstruct.ts";
import { recordText, sidecarPath } from "./sidecar.ts";

type Given = MarOptions & { sinogram: string; metalMask: string; geometry: string };

export function marOfSinogram(given: Given): Command {
  return async (run) => {
    const { output, method, muWater = muWater70keV, filter = "ram-lak", cutoff = 1, passes } = given;
    const target = checkOutputFormat(output);
    const inputs = [given.sinogram, given.metalMask, given.geometry];
    await checkFileTarget(target, inputs);
    if (given.report) await checkReportTargets(target, inputs);
    const geometry = await readGeometry(given.geometry);
    const [sinograms, reading] = await timed(async () =>
      requirePlanes(await load(given.sinogram, run), "a sinogram [view, bin]"),
    );
    const metalMask = requirePlanes(await load(given.metalMask, run), "a mask [row, column]");
    await checkMask(metalMask, given.metalMask, run);
    warnOfMissingViews(geometry, run);
    const options = { ...jobOptions(run), method, muWater, filter, cutoff, passes };
    const [corrected, computing] = await timed(() => correctSinogram(sinograms, { metalMask }, geometry, options));
    if (corrected.fullViews > 0)
      run.console.warn(
        `In ${corrected.fullViews} views metal covers every ray; they were filled from their neighbours.`,
      );
    const needsBefore = given.reinsert || given.report;
    const before = needsBefore ? await fbp(sinograms, geometry, { ...jobOptions(run), filter, cutoff }) : undefined;
    const withMetal = before ? await reinsertMetal(corrected.images, before, metalMask, quietly(run)) : undefined;
    const images = given.reinsert ? withMetal! : corrected.images;

    const paths = await withFileOutputs(run.signal, async (outputs) => {
      const [, writing] = await timed(() => outputs.array(output, images));
      const text = recordText(
        {
          command: "mar",
          unit: "1/mm",
          inputs: { sinogram: given.sinogram, metalMask: given.metalMask, geometry: given.geometry },
          outputs: [output],
          geometry,
          details: { method, passes: passes ?? 1, muWater, filter, cutoff, reinsert: given.reinsert ?? false },
          seconds: { reading, computing, writing },
        },
        run,
      );
      await outputs.file(await sidecarPath(target, inputs), text);
      if (before && given.report)
        await writeReport(
          {
            title: `Metal artefact reduction: ${methodNames[method]}`,
            layers: [
              { name: "Uncorrected", hu: await huOfMu(before, muWater, run) },
              { name: method.toUpperCase(), hu: await huOfMu(withMetal!, muWater, run) },
            ],
            metal: metalMask,
            pixelMm: geometry.image.pixelMm,
            seconds: computing,
            facts: [
              ["Method", methodNames[method]],
              ["Input", given.sinogram],
              ["Geometry", describeGeometry(geometry)],
              ["µ of water", `${muWater} 1/mm`],
              ["Filter", `${filter}, cut-off ${cutoff}`],
            ],
            notes: [
              "Measured sinogram: the rays through metal were replaced, all others are as measured. The images here have the metal of the uncorrected reconstruction put back" +
                (given.reinsert ? "." : `; ${output} has not.`),
            ],
            warnings: run.console.warnings,
          },
          quietly(run),
          (name, ...chunks) => outputs.file(join(dirname(target), name), ...chunks),
        );
    });
    run.console.log(`${output}: ${sizes(images.shape)}, 1/mm, ${method.toUpperCase()}, ${computing.toFixed(2)} s`);
    for (const path of paths.slice(2)) run.console.log(path);
    await run.console.result({
      output,
      files: paths,
      shape: images.shape,
      unit: "1/mm",
      method,
      muWater,
      seconds: computing,
      warnings: run.console.warnings,
    });
    return 0;
  };
}

async function checkMask(mask: Parameters<typeof statistics>[0], path: string, run: Run): Promise<void> {
  const { minimum, maximum, nonFinite } = await statistics(mask, quietly(run));
  const refuse = (what: string) =>
    sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a mask that is not zero where metal is in ${path} but ${what}`, {
      details: { path },
    });
  if (nonFinite > 0) throw refuse(`${nonFinite} of its pixels are NaN or infinite.`);
  if (minimum === 0 && maximum === 0)
    throw refuse("it is empty: nothing is there to correct. Use reconstruct instead.");
  if (minimum > 0 || maximum < 0) throw refuse("it covers every pixel: nothing would be left of the measurement.");
}
