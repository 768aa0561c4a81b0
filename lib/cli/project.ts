/** `sinogram project`: line integrals of an image file. */
import { requireFinite } from "../image/pixels.ts";
import { muWater70keV } from "../physics/constants.ts";
import { readGeometry } from "../tomography/geometry-file.ts";
import { project as projectImages } from "../tomography/project.ts";
import {
  type Command,
  checkOutputFormat,
  jobOptions,
  load,
  muOfHu,
  quietly,
  requirePlanes,
  sizes,
  timed,
} from "./command.ts";
import { checkFileTarget, withFileOutputs } from "./outputs.ts";
import { recordText, sidecarPath } from "./sidecar.ts";

export interface ProjectOptions {
  geometry: string;
  output: string;
  hu?: boolean;
  muWater?: number;
}

export function project(input: string, given: ProjectOptions): Command {
  return async (run) => {
    const { output, muWater = muWater70keV } = given;
    const target = checkOutputFormat(output);
    const inputs = [input, given.geometry];
    await checkFileTarget(target, inputs);
    const geometry = await readGeometry(given.geometry);
    const [loaded, reading] = await timed(() => load(input, run));
    const images = requirePlanes(loaded, "an image [row, column]");
    await requireFinite(images, input, quietly(run));
    const [sinograms, computing] = await timed(async () =>
      projectImages(given.hu ? await muOfHu(images, muWater, run) : images, geometry, jobOptions(run)),
    );
    const paths = await withFileOutputs(run.signal, async (outputs) => {
      const [, writing] = await timed(() => outputs.array(output, sinograms));
      const text = recordText(
        {
          command: "project",
          unit: "1",
          inputs: { image: input, shape: images.shape, unit: given.hu ? "HU" : "1/mm", geometry: given.geometry },
          outputs: [output],
          geometry,
          details: { ...(given.hu ? { muWater } : {}), shape: sinograms.shape },
          seconds: { reading, computing, writing },
        },
        run,
      );
      await outputs.file(await sidecarPath(target, inputs), text);
    });
    run.console.log(`${output}: ${sizes(sinograms.shape)}, ${computing.toFixed(2)} s`);
    await run.console.result({ output, record: paths[1], shape: sinograms.shape, seconds: computing });
    return 0;
  };
}
