/** Which files make the series that was asked for. */
import { sinoError } from "../../core/errors.ts";
import { formatError } from "./failures.ts";
import { someFiles } from "./geometry.ts";
import type { SliceHead } from "./head.ts";
import { groupSeries, listFiles, readHeads, type SeriesInfo } from "./list.ts";
import { type CtSlice, checkSlice } from "./slice.ts";

export interface Selection {
  readonly slices: readonly CtSlice[];
  readonly warnings: readonly string[];
}

interface Wanted {
  seriesUid?: string | undefined;
  anyModality?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Finds, chooses and checks the slices of one series; unsorted. See readSeries for what it throws. */
export async function selectSlices(path: string | readonly string[], wanted: Wanted): Promise<Selection> {
  const paths = typeof path === "string" ? [path] : path;
  if (!Array.isArray(paths) || paths.length === 0 || !paths.every((p) => typeof p === "string"))
    throw sinoError("ERR_SINO_ARG_TYPE", "Expected a folder, a file or a list of files of a DICOM series.");
  const files = new Set<string>();
  for (const each of paths) for (const file of await listFiles(each)) files.add(file);
  const { heads, damaged, notDicom } = await readHeads([...files], wanted);
  const warnings: string[] = [];

  const named = notDicom.find((file) => paths.includes(file));
  if (named !== undefined)
    throw formatError(named, "it is not a DICOM file (empty, or without the marker DICM at byte 128).");
  if (damaged[0] && wanted.seriesUid === undefined) throw damaged[0].error;
  if (damaged.length > 0)
    warnings.push(`${damaged.length} damaged files are left out: ${someFiles(damaged.map((d) => d.file))}.`);

  const all = groupSeries(heads);
  const chosen = choose(all, heads, paths.join(", "), files.size, wanted);
  const others = all.length - 1;
  if (others > 0 && wanted.seriesUid === undefined)
    warnings.push(`${others} other series in the same place (localisers or not CT) are left out.`);
  if (chosen.localizers.length > 0)
    warnings.push(
      `${chosen.localizers.length} localisers of the series are left out: ${someFiles(chosen.localizers)}.`,
    );

  const byFile = new Map(heads.map((head) => [head.file, head]));
  const checked = chosen.files.map((file) =>
    checkSlice(byFile.get(file)!, { anyModality: wanted.anyModality ?? false }),
  );
  return { slices: withoutCopies(checked, warnings), warnings };
}

function choose(
  all: readonly SeriesInfo[],
  heads: readonly SliceHead[],
  where: string,
  fileCount: number,
  { seriesUid, anyModality }: Wanted,
): SeriesInfo {
  if (all.length === 0) {
    if (heads[0]) checkSlice(heads[0], { anyModality: anyModality ?? false }); // says what is wrong with it
    throw formatError(where, `no DICOM image is there (${fileCount} files looked at).`, { files: fileCount });
  }
  if (seriesUid !== undefined) {
    const found = all.find((series) => series.seriesUid === seriesUid);
    if (found) return found;
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected series ${seriesUid} in ${where} but found ${list(all)}.`, {
      details: { series: all.map((s) => s.seriesUid) },
    });
  }
  const suitable = all.filter((series) => anyModality || series.modality === "CT");
  const images = suitable.filter((series) => !series.isLocalizer);
  const candidates = images.length > 0 ? images : suitable;
  if (candidates.length > 1)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected one series in ${where} but found ${candidates.length}: ${list(candidates)}. Choose one by its UID.`,
      { details: { series: candidates.map((s) => s.seriesUid) } },
    );
  return candidates[0] ?? all[0]!; // not CT: checkSlice says so, naming the file
}

function list(series: readonly SeriesInfo[]): string {
  const shown = series
    .slice(0, 6)
    .map((s) => `${s.seriesUid} (${s.modality} ${JSON.stringify(s.description)}, ${s.files.length} images)`);
  return shown.join("; ") + (series.length > 6 ? `; and ${series.length - 6} more` : "");
}

/** The same image twice (one SOPInstanceUID, two files) counts once. */
function withoutCopies(slices: readonly CtSlice[], warnings: string[]): CtSlice[] {
  const seen = new Set<string>();
  const copies: string[] = [];
  const kept = slices.filter((slice) => {
    if (seen.has(slice.sopInstanceUid)) copies.push(slice.file);
    return !seen.has(slice.sopInstanceUid) && seen.add(slice.sopInstanceUid);
  });
  if (copies.length > 0)
    warnings.push(`${copies.length} files repeat an image already read and are left out: ${someFiles(copies)}.`);
  return kept;
}
