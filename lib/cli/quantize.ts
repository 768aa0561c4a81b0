/** `sinogram quantize`: a trained network's calibration for 8 bits, beside its weights. */
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../core/files.ts";
import { loadTrained, quantizeTrained } from "../models/index.ts";
import { modelFolder } from "../models/shipped.ts";
import { type Command, jobOptions, load } from "./command.ts";
import { checkFolderTarget, withFolderOutput } from "./outputs.ts";

export interface QuantizeCommandOptions {
  output: string;
  images: string;
  snr?: number;
  samples?: number;
  seed?: number;
}

export function quantize(model: string, given: QuantizeCommandOptions): Command {
  return async (run) => {
    const { output, images, snr, samples, seed } = given;
    await checkFolderTarget(output, false);
    const folder = await modelFolder(model);
    const trained = await loadTrained(folder);
    const { calibration, report } = await quantizeTrained(trained, (await load(images, run)).array, {
      ...jobOptions(run),
      threads: run.options.threads,
      ...{ snrDb: snr, samples, seed },
    });
    const card = JSON.parse(await readFile(join(folder, "model.json"), "utf8")) as object;
    await withFolderOutput(output, run.signal, async (temporary) => {
      await copyFile(join(folder, "weights.safetensors"), join(temporary, "weights.safetensors"));
      const text = JSON.stringify({ ...card, int8: { ...report, calibration } }, null, 2);
      await writeFileAtomic(join(temporary, "model.json"), `${text}\n`);
    });
    const { convolutions, kept, share, snrDb, snrOfAllDb, float32Ms, int8Ms } = report;
    const text = [
      `in 8 bits    ${convolutions - kept.length} of ${convolutions} convolutions, ${(100 * share).toFixed(1)} % of their multiplications`,
      `in float32   ${kept.join(", ") || "none"}`,
      `rounding     ${snrDb.toFixed(1)} dB below the answer; ${snrOfAllDb.toFixed(1)} dB with all in 8 bits`,
      `one image    ${int8Ms.toFixed(0)} ms instead of ${float32Ms.toFixed(0)} ms, ${(float32Ms / int8Ms).toFixed(2)} times as fast`,
      "",
    ].join("\n");
    await run.console.result({ output, ...report }, text);
    return 0;
  };
}
