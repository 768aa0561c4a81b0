/** `sinogram simulate`: scans of images, with metal, noise and less dose, into a dataset folder. */
import { readFile, stat } from "node:fs/promises";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { readArray } from "../data/array-files.ts";
import { listSeries, readSeries } from "../data/dicom/index.ts";
import { selectSlices } from "../data/dicom/select.ts";
import { type DatasetSource, simulateDataset } from "../physics/dataset.ts";
import { type Physics, parsePhysics } from "../physics/physics.ts";
import { readGeometry } from "../tomography/geometry-file.ts";
import { type Command, counted, jobOptions, load, type Run, requirePlanes, timed } from "./command.ts";
import { UsageError } from "./failure.ts";

export interface SimulateOptions {
  geometry: string;
  output: string;
  seed: number;
  metal?: string;
  material?: string;
  spectrum?: string;
  dose?: number;
  physics?: string;
  mu?: boolean;
  resume?: boolean;
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, "utf8").catch((error) => {
    throw ioError("read", path, error);
  });
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw sinoError("ERR_SINO_IO_FORMAT", `${path} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
}

/** The physics file, or the field's protocol, with what the command line says instead. */
async function physicsOf({ physics, material, spectrum, dose }: SimulateOptions): Promise<Physics> {
  const base = physics ? await readJson(physics) : { name: "syndeeplesion-ti" };
  const isFile = spectrum?.toLowerCase().endsWith(".json");
  const { density: _nominal, ...metal } = (base["metal"] ?? {}) as Record<string, unknown>;
  // a spectrum of one's own needs its own water correction, another material its own density
  const { waterCorrection, ...rest } = base;
  const json = {
    ...rest,
    ...(waterCorrection !== undefined && spectrum === undefined ? { waterCorrection } : {}),
    ...(spectrum === undefined ? {} : { spectrum: isFile ? await readJson(spectrum) : spectrum }),
    ...(material === undefined ? {} : { metal: { ...metal, material } }),
    ...(dose === undefined ? {} : { dose }),
  };
  return parsePhysics(json, physics ?? "the command line");
}

/** Array files and DICOM folders or files, every CT series a source of its own. */
async function sourcesOf(inputs: readonly string[], run: Run): Promise<DatasetSource[]> {
  const sources: DatasetSource[] = [];
  for (const input of inputs) {
    const found = await stat(input).catch(() => undefined);
    if (found?.isDirectory() || /\.dcm$/i.test(input) || (found && !/\.[a-z0-9]+(:.*)?$/i.test(input))) {
      const all = await listSeries(input, { signal: run.signal });
      const series = all.filter(({ modality, isLocalizer }) => modality === "CT" && !isLocalizer);
      if (series.length === 0)
        throw sinoError("ERR_SINO_IO_FORMAT", `${input} holds no CT series.`, { details: { path: input } });
      for (const { seriesUid, files } of series) {
        const { slices } = await selectSlices(files, { seriesUid, signal: run.signal });
        const read = async () => (await readSeries(files, { seriesUid, signal: run.signal })).volume;
        sources.push({ name: series.length > 1 ? `${input} ${seriesUid}` : input, slices: slices.length, read });
      }
      continue;
    }
    const images = requirePlanes(await load(input, run), "an image [row, column]");
    const slices = images.shape.length === 3 ? images.shape[0]! : 1;
    const read = async () => (await readArray(input)).array;
    sources.push({ name: input, slices, read });
  }
  return sources;
}

export function simulate(inputs: string[], given: SimulateOptions): Command {
  return async (run) => {
    if (given.material !== undefined && given.metal === undefined)
      throw new UsageError("Option --material says what --metal is made of: name the mask too.");
    const physics = await physicsOf(given);
    const geometry = await readGeometry(given.geometry);
    const mask = given.metal === undefined ? undefined : requirePlanes(await load(given.metal, run), "a metal mask");
    const sources = await sourcesOf(inputs, run);
    const [report, seconds] = await timed(() =>
      simulateDataset(sources, {
        ...jobOptions(run),
        folder: given.output,
        geometry,
        physics,
        seed: given.seed,
        unit: given.mu ? "mu" : "hu",
        resume: given.resume ?? false,
        ...(mask ? { metalMask: mask } : {}),
      }),
    );
    const again = report.resumed > 0 ? `, ${report.resumed} of them from before` : "";
    run.console.log(`${given.output}: ${counted(report.slices, "slice")}${again}, ${seconds.toFixed(1)} s`);
    const { folder: output, ...rest } = report;
    await run.console.result({ output, ...rest, physicsName: physics.name, seconds });
    return 0;
  };
}
