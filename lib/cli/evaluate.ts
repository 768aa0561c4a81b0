/** `sinogram evaluate`: how far results are from their reference. */
import { join } from "node:path";
import type { TypedArray, Volume } from "../core/arrays.ts";
import { writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { statistics } from "../image/pixels.ts";
import { type Evaluation, evaluate as evaluateImages, type ProtocolName } from "../metrics/evaluate.ts";
import { type Rings, ringErrors } from "../metrics/rings.ts";
import { muWater70keV } from "../physics/constants.ts";
import { type ReportTable, writeReport } from "../report/report.ts";
import { aligned } from "./aligned.ts";
import { type Command, counted, huOfMu, quietly, type Run } from "./command.ts";
import { toJson } from "./console.ts";
import { UsageError } from "./failure.ts";
import { type ImageSet, loadImageSet, requirePartners } from "./image-set.ts";
import { checkFolderTarget, withFolderOutput } from "./outputs.ts";

export interface EvaluateOptions {
  mask?: string;
  protocol?: ProtocolName;
  window?: [number, number];
  tissue?: [number, number];
  near: number;
  msSsim?: boolean;
  unit?: "mu" | "hu";
  muWater?: number;
  deepLesion?: boolean;
  output?: string;
  overwrite?: boolean;
}

/** No attenuation that a CT image holds, in 1/mm, comes near this. */
const implausibleMu = 10;

interface Compared extends Evaluation {
  images: string;
  rings?: Rings;
}

export function evaluate(files: readonly string[], given: EvaluateOptions): Command {
  return async (run) => {
    if (files.length < 2) throw new UsageError("Name one result at least and, last, the reference.");
    if (given.tissue && !given.mask)
      throw new UsageError("Option --tissue is for errors near --mask: name the mask too.");
    if (given.output) await checkFolderTarget(given.output, given.overwrite ?? false);
    const read = (spec: string) => loadImageSet(spec, { deepLesion: given.deepLesion ?? false }, run);
    const reference = await read(files.at(-1)!);
    const mask = given.mask === undefined ? undefined : await read(given.mask);
    if (mask) requirePartners(mask, reference);
    const results: Compared[] = [];
    const layers: Volume<TypedArray>[] = [];
    let unit: "mu" | "hu" = "mu";
    for (const spec of files.slice(0, -1)) {
      const result = await read(spec);
      requirePartners(result, reference);
      unit = unitOf(given.unit, [result, reference]);
      if (unit === "mu") await warnOfHu(reference, run);
      results.push({ images: spec, ...(await compared(result, reference, mask, unit, given, run)) });
      if (given.output) layers.push(result.images);
    }
    const about = { reference: reference.spec, ...(given.mask ? { mask: given.mask } : {}) };
    const document =
      results.length === 1
        ? { ...about, ...results[0]!, ...named(reference) }
        : { ...about, results, ...named(reference) };
    if (given.output) {
      const tables = [figureTable(results)];
      const write = (folder: string) => writeFolder(folder, { document, layers, reference, mask, unit, tables }, run);
      await withFolderOutput(given.output, run.signal, write);
    }
    await run.console.result(document, results.length === 1 ? table(results[0]!) : wideTable(results));
    return 0;
  };
}

const named = ({ names }: ImageSet) => (names ? { names } : {});

function unitOf(given: "mu" | "hu" | undefined, sets: readonly ImageSet[]): "mu" | "hu" {
  const inHu = sets.find(({ isHu }) => isHu);
  if (given === "mu" && inHu) throw new UsageError(`${inHu.spec} is in HU: leave out --unit mu.`);
  return given ?? (inHu ? "hu" : "mu");
}

async function compared(
  { images }: ImageSet,
  reference: ImageSet,
  mask: ImageSet | undefined,
  unit: "mu" | "hu",
  { protocol, window, muWater, near, tissue, msSsim }: EvaluateOptions,
  run: Run,
): Promise<Evaluation & { rings?: Rings }> {
  const rank = reference.images.shape.length;
  const metal = mask && (mask.images.shape.length === 2 ? mask.images : aligned(mask.images, rank));
  const options = { ...quietly(run), unit, muWater };
  const found = await evaluateImages(aligned(images, rank), reference.images, {
    ...options,
    protocol,
    window,
    msSsim,
    mask: metal,
  });
  if (!metal) return found;
  const rings = await ringErrors(aligned(images, rank), reference.images, {
    ...options,
    mask: metal,
    nearPixels: near,
    tissue,
  });
  return { ...found, rings };
}

async function warnOfHu({ images, spec }: ImageSet, run: Run): Promise<void> {
  const { minimum, maximum } = await statistics(images, quietly(run));
  if (Math.max(-minimum, maximum) > implausibleMu)
    run.console.warn(
      `${spec} spans ${minimum.toFixed(0)} to ${maximum.toFixed(0)}, which cannot be attenuation in 1/mm. If it is HU, add --unit hu.`,
    );
}

const short = (value: number): string => String(Number(value.toPrecision(6)));
const spanOf = ({ window, unit }: Evaluation): string =>
  `${window.map(short).join(" to ")} ${unit === "mu" ? "1/mm" : "HU"}`;
const hu = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : "–");

function table(found: Compared): string {
  const { psnr, ssim, msSsim, rmseHu, maeHu, biasHu, protocol, rings, slices } = found;
  const near = rings?.nearPixels ?? 0;
  return [
    `protocol  ${protocol}, ${spanOf(found)}, ${slices.length === 1 ? "1 slice" : `${slices.length} slices, means`}`,
    `PSNR      ${psnr.toFixed(3)} dB`,
    `SSIM      ${ssim.toFixed(5)}`,
    ...(msSsim === undefined ? [] : [`MS-SSIM   ${msSsim.toFixed(5)}`]),
    `RMSE      ${rmseHu.toFixed(2)} HU`,
    `MAE       ${maeHu.toFixed(2)} HU`,
    `bias      ${biasHu.toFixed(2)} HU`,
    ...(rings
      ? [`near      ${hu(rings.near)} HU, to ${near} pixels from the mask`, `far       ${hu(rings.far)} HU, beyond`]
      : []),
    "",
  ].join("\n");
}

/** Several results, and the same for the report. */
function figureTable(results: readonly Compared[]): ReportTable {
  const first = results[0]!;
  const rings = first.rings ? [`near (≤ ${first.rings.nearPixels} px), HU`, "far, HU"] : [];
  const scales = first.msSsim === undefined ? [] : ["MS-SSIM"];
  return {
    caption: `${first.protocol}, PSNR and SSIM within ${spanOf(first)}`,
    columns: ["result", "PSNR, dB", "SSIM", ...scales, "RMSE, HU", "MAE, HU", "bias, HU", ...rings],
    rows: results.map(({ images, psnr, ssim, msSsim, rmseHu, maeHu, biasHu, rings: found }) => [
      images,
      psnr.toFixed(3),
      ssim.toFixed(5),
      ...(msSsim === undefined ? [] : [msSsim.toFixed(5)]),
      ...[rmseHu, maeHu, biasHu].map(hu),
      ...(found ? [hu(found.near), hu(found.far)] : []),
    ]),
  };
}

function wideTable(results: readonly Compared[]): string {
  const { caption, columns, rows } = figureTable(results);
  const lines = [columns, ...rows];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const text = (line: readonly string[]) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return `${[caption, ...lines.map(text)].join("\n")}\n`;
}

interface Written {
  document: object;
  layers: readonly Volume<TypedArray>[];
  reference: ImageSet;
  mask: ImageSet | undefined;
  unit: "mu" | "hu";
  tables: readonly ReportTable[];
}

async function writeFolder(
  folder: string,
  { document, layers, reference, mask, unit, tables }: Written,
  run: Run,
): Promise<void> {
  const muWater = (document as { muWater?: number }).muWater ?? muWater70keV;
  const inHu = (images: Volume<TypedArray>) => (unit === "hu" ? images : huOfMu(images, muWater, run));
  const record = { software: "sinogram", version, command: "evaluate", ...document, warnings: run.console.warnings };
  await writeFileAtomic(join(folder, "evaluation.json"), `${toJson(record)}\n`);
  const rank = reference.images.shape.length;
  const rows = tables[0]!.rows;
  const hu = await Promise.all(layers.map(async (images) => aligned(await inHu(images), rank)));
  const metal = mask && aligned(mask.images, rank);
  const isShared = metal && metal.shape.length !== rank;
  const found =
    (document as { slices?: Evaluation["slices"] }).slices ??
    (document as { results: Evaluation[] }).results[0]!.slices;
  await writeReport(
    {
      title: "Evaluation",
      layers: [
        { name: "Reference", hu: await inHu(reference.images) },
        ...hu.map((each, i) => ({ name: rows[i]![0]!, hu: each })),
      ],
      ...(metal && !isShared ? { metal } : {}),
      pixelMm: reference.pixelMm ?? [1, 1],
      facts: [
        ["Reference", reference.spec],
        ["Mask", mask?.spec ?? "none"],
        ["Slices", counted(found.length, "slice")],
        ["µ of water", `${muWater} 1/mm`],
      ],
      tables,
      notes: ["The first layer is the reference; changes are those from it to the first result."],
      warnings: run.console.warnings,
      importance: found.map(({ rmseHu }) => rmseHu),
    },
    quietly(run),
    (name, ...chunks) => writeFileAtomic(join(folder, name), ...chunks),
  );
}
