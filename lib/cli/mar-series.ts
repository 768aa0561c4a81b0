/** `sinogram mar DICOM_DIR`: a derived series of one series, or of every one. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { isCodedError, sinoError } from "../core/errors.ts";
import { makeFolder, writeFileAtomic } from "../core/files.ts";
import { scanSeries } from "../data/dicom/list.ts";
import { type CtSeries, readSeries } from "../data/dicom/read.ts";
import { type DerivedSeries, writeDerivedSeries } from "../data/dicom/write.ts";
import { derivationOf } from "../mar/derivation.ts";
import type { CorrectedImages } from "../mar/image.ts";
import type { MetalModel } from "../models/shipped.ts";
import { writeReport } from "../report/report.ts";
import { checkApart } from "./apart.ts";
import { type Command, counted, jobOptions, quietly, type Run, timed } from "./command.ts";
import { exitCodeOf, exitCodes, type FailureDocument, failureDocument, failureLine } from "./failure.ts";
import type { ImageMarOptions } from "./mar.ts";
import { diffusionDetails } from "./mar-diffusion.ts";
import { correctByMethod, diffusionFacts, noMetal, thresholds } from "./mar-images.ts";
import { metalDetails, metalWords, openMetalModel } from "./mar-metal.ts";
import { describeGeometry, methodNames, virtualScanNote } from "./mar-words.ts";
import { checkFolderTarget, withFolderOutput } from "./outputs.ts";
import { recordText } from "./sidecar.ts";

interface Outcome {
  output: string;
  seriesUid: string;
  slices: number;
  metalSlices: number;
  clippedPixels: number;
  /** That the network failed on. */
  failedSlices?: number;
  seconds: number;
  warnings: readonly string[];
}

export function marOfSeries(folder: string, given: ImageMarOptions): Command {
  return async (run) => {
    const { output } = given;
    await checkFolderTarget(output, given.all ? true : (given.overwrite ?? false));
    await checkApart(folder, output, run);
    const model = await openMetalModel(given);
    if (given.all) return everySeries(folder, model, given, run);
    const outcome = await oneSeries(folder, given.series, output, model, given, run);
    await run.console.result(outcome);
    return outcome.failedSlices ? exitCodes.some : exitCodes.ok;
  };
}

async function everySeries(
  folder: string,
  model: MetalModel | undefined,
  given: ImageMarOptions,
  run: Run,
): Promise<number> {
  const { series, damaged } = await scanSeries(folder, { signal: run.signal });
  const chosen = series.filter(({ modality, isLocalizer }) => modality === "CT" && !isLocalizer);
  if (chosen.length === 0)
    throw damaged[0]?.error ?? sinoError("ERR_SINO_IO_FORMAT", `${folder}: no CT series is there.`);
  if (damaged.length > 0) run.console.warn(`${counted(damaged.length, "damaged file")} left out.`);
  const { warnings } = run.console;
  await makeFolder(given.output);
  const done: Outcome[] = [];
  const failed: { seriesUid: string; error: FailureDocument }[] = [];
  let worst: number = exitCodes.ok;
  for (const [i, { seriesUid }] of chosen.entries()) {
    run.console.nextItem(`series ${i + 1} of ${chosen.length}`);
    try {
      const output = join(given.output, folderName(seriesUid));
      await checkFolderTarget(output, given.overwrite ?? false);
      done.push(await oneSeries(folder, seriesUid, output, model, given, run));
    } catch (error) {
      if (run.signal.aborted || !isCodedError(error)) throw error;
      run.console.log(failureLine(error));
      failed.push({ seriesUid, error: failureDocument(error) });
      worst = exitCodeOf(error);
    }
  }
  await run.console.result({ series: done, failed, warnings });
  if (failed.length === 0) return done.some(({ failedSlices }) => failedSlices) ? exitCodes.some : exitCodes.ok;
  return done.length > 0 ? exitCodes.some : worst;
}

/** A UID names a folder unless someone put something else there. */
function folderName(seriesUid: string): string {
  return /^\d[\d.]{0,63}$/.test(seriesUid)
    ? seriesUid
    : createHash("sha256").update(seriesUid).digest("hex").slice(0, 32);
}

async function oneSeries(
  folder: string,
  seriesUid: string | undefined,
  output: string,
  model: MetalModel | undefined,
  given: ImageMarOptions,
  run: Run,
): Promise<Outcome> {
  const { method } = given;
  const { signal } = run;
  const [series, reading] = await timed(() => readChosen(folder, seriesUid, run));
  for (const warning of series.warnings) run.console.warn(warning);
  const pixelMm = series.slices[0]!.pixelSpacing;
  const [corrected, computing] = await timed(() =>
    correctByMethod(series.volume, model, given, { ...jobOptions(run), ...thresholds(given), pixelMm }, run),
  );
  const metalSlices = corrected.metalPixels.filter((count) => count > 0).length;
  if (metalSlices === 0) run.console.warn(noMetal(corrected.metalHu, model));

  const diffusion = method === "diffusion" ? await diffusionDetails(given) : undefined;
  const derivation = derivationOf({
    ...given,
    metalHu: corrected.metalHu,
    metalModel: metalDetails(model),
    muWater: corrected.muWater,
    diffusion,
  });
  let written: DerivedSeries | undefined;
  await withFolderOutput(output, signal, async (temporary) => {
    const [derived, writing] = await timed(() =>
      writeDerivedSeries(series, corrected.hu, {
        out: temporary,
        changed: corrected.changed,
        ...derivation,
        signal,
        onProgress: run.console.progress,
      }),
    );
    written = derived;
    if (derived.clippedPixels > 0)
      run.console.warn(
        `${derived.clippedPixels} pixels lie outside what 16 bits hold at the source's rescale; they were clipped.`,
      );
    if (given.report)
      await report(series, corrected, derived, derivation, computing, folder, temporary, model, given, run);
    const text = recordText(
      {
        command: "mar",
        unit: "HU",
        inputs: { folder, seriesUid: series.seriesUid, slices: series.slices.length },
        outputs: derived.files.map((file) => basename(file)),
        geometry: corrected.geometry,
        details: {
          seriesUid: derived.seriesUid,
          ...derivation.configuration,
          ...("slices" in corrected && { outcomes: corrected.slices }),
          metalPixels: corrected.metalPixels,
          ...(given.guarded && "shares" in corrected && { shares: corrected.shares }),
          clippedPixels: derived.clippedPixels,
          note: virtualScanNote,
        },
        seconds: { reading, computing, writing },
      },
      run,
    );
    await writeFileAtomic(join(temporary, "sinogram.json"), text);
  });
  const slices = series.slices.length;
  run.console.log(
    `${output}: ${counted(slices, "slice")}, metal in ${metalSlices}, ${method.toUpperCase()}, ${(reading + computing).toFixed(1)} s` +
      (given.report ? `; open ${join(output, "report.html")}` : ""),
  );
  const outcomes = "slices" in corrected ? corrected.slices : [];
  const failedSlices = outcomes.filter(({ outcome }) => outcome === "failed").length;
  const { seriesUid: derivedUid, clippedPixels } = written!;
  return {
    output,
    seriesUid: derivedUid,
    slices,
    metalSlices,
    clippedPixels,
    ...(failedSlices > 0 && { failedSlices }),
    seconds: computing,
    warnings: run.console.warnings,
  };
}

async function readChosen(folder: string, seriesUid: string | undefined, run: Run): Promise<CtSeries> {
  try {
    return await readSeries(folder, { seriesUid, signal: run.signal, onProgress: run.console.progress });
  } catch (error) {
    const { code, message, details } = error as { code?: string; message: string; details?: { series?: string[] } };
    if (code !== "ERR_SINO_OUT_OF_RANGE" || !details?.series) throw error;
    const hint = " Choose one with --series UID, or all with --all.";
    throw sinoError("ERR_SINO_OUT_OF_RANGE", message.replace(/ Choose one by its UID\.$/, hint), {
      cause: error,
      details,
    });
  }
}

async function report(
  series: CtSeries,
  corrected: CorrectedImages,
  derived: DerivedSeries,
  derivation: ReturnType<typeof derivationOf>,
  seconds: number,
  folder: string,
  target: string,
  model: MetalModel | undefined,
  given: ImageMarOptions,
  run: Run,
): Promise<void> {
  const { method } = given;
  const affected = corrected.metalPixels.filter((count) => count > 0).length;
  await writeReport(
    {
      title: `Metal artefact reduction: ${methodNames[method]}`,
      layers: [
        { name: "Before", hu: series.volume },
        { name: "After", hu: corrected.hu },
      ],
      metal: corrected.metal,
      pixelMm: corrected.geometry.image.pixelMm,
      seconds,
      facts: [
        ["Method", methodNames[method]],
        ["Input", folder],
        ["Slices", `${corrected.changed.length}, metal ${metalWords(corrected.metalHu, model)} in ${affected}`],
        ["Derived series", derived.seriesUid],
        ...diffusionFacts(derivation.configuration.diffusion),
        ["Virtual scan", describeGeometry(corrected.geometry)],
        ["µ of water", `${corrected.muWater} 1/mm`],
      ],
      notes: [virtualScanNote, "Slices without metal keep the pixels of the source exactly."],
      warnings: run.console.warnings,
    },
    quietly(run),
    (name, ...chunks) => writeFileAtomic(join(target, name), ...chunks),
  );
}
