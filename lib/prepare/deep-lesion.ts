/**
 * DeepLesion as NIH publishes it: 16-bit PNGs, HU + 32768, in a folder per series (`000001_01_01/109.png`: patient, study,
 * series), and DL_info.csv, a line per lesion, which says what belongs to training (1), validation (2) and test (3).
 */
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { type SplitName, splitNames } from "./split.ts";

/** Cells of a line; a cell in quotes may hold commas. */
export function csvCells(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    quoted === undefined ? plain!.trim() : quoted.replaceAll('""', '"'),
  );
}

/** Series by name with their split. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT where it is no DL_info.csv. */
export async function readDeepLesionSplits(path: string): Promise<Map<string, SplitName>> {
  const text = await readFile(path, "utf8").catch((error) => {
    throw ioError("read", path, error);
  });
  const [head = "", ...lines] = text.split(/\r?\n/);
  const names = csvCells(head);
  const [file, split] = ["File_name", "Train_Val_Test"].map((name) => {
    const at = names.indexOf(name);
    if (at < 0)
      throw sinoError(
        "ERR_SINO_IO_FORMAT",
        `${path} expected a column ${name}, as DeepLesion's DL_info.csv has it, but has ${names.slice(0, 8).join(", ")}.`,
        { details: { path, columns: names } },
      );
    return at;
  }) as [number, number];
  const series = new Map<string, SplitName>();
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const cells = csvCells(line);
    const name = /^(\d+_\d+_\d+)_\d+\.png$/.exec(cells[file] ?? "")?.[1];
    const of = splitNames[Number(cells[split]) - 1];
    if (!name || !of)
      throw sinoError(
        "ERR_SINO_IO_FORMAT",
        `${path} line ${i + 2} expected a file such as 000001_01_01_109.png and a split 1, 2 or 3 but has ${cells[file]} and ${cells[split]}.`,
        { details: { path, line: i + 2 } },
      );
    series.set(name, of);
  }
  return series;
}

/** "…/000001_01_01/109.png": series 000001_01_01 of patient 000001. */
export const deepLesionSeries = (path: string): string => basename(dirname(path));
export const deepLesionPatient = (series: string): string => series.split("_")[0]!;
