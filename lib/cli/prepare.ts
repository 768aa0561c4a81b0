/** `sinogram prepare`: slices of many patients as arrays to train on. */
import { prepareSlices } from "../prepare/index.ts";
import { type Command, counted, jobOptions } from "./command.ts";
import { UsageError } from "./failure.ts";
import { checkFolderTarget, withFolderOutput } from "./outputs.ts";

export interface PrepareCommandOptions {
  output: string;
  deepLesion?: string;
  size?: number;
  window?: [number, number];
  scaled?: boolean;
  metalHu?: number;
  metalPixels?: number;
  split?: number[];
  seed?: number;
  licence?: string;
}

export function prepare(inputs: string[], given: PrepareCommandOptions): Command {
  return async (run) => {
    const { output, split, ...rest } = given;
    if (split && split.length !== 3)
      throw new UsageError("Option --split expects three shares: train, validation, test, as in 0.9,0.05,0.05.");
    await checkFolderTarget(output, false);
    let report: Awaited<ReturnType<typeof prepareSlices>> | undefined;
    await withFolderOutput(output, run.signal, async (folder) => {
      const shares = split as [number, number, number] | undefined;
      report = await prepareSlices(inputs, { ...rest, shares, ...jobOptions(run), folder });
    });
    const { slices, kept, metal, empty, splits } = report!;
    const parts = Object.entries(splits).map(([name, n]) => `${name} ${n}`);
    run.console.log(
      `${output}: ${kept} of ${counted(slices, "slice")} (${parts.join(", ")}); left out: ${metal} with metal, ${empty} empty`,
    );
    await run.console.result({ ...report, output, folder: undefined });
    return 0;
  };
}
