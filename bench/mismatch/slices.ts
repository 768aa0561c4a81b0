/** Clean slices of the regions of the split, from the real data. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSeries } from "../../lib/data/dicom/index.ts";
import { realData } from "../../test/support/data.ts";
import { mostHu, type Region } from "./split.ts";

/** Where archives are unpacked, and pairs kept. */
export const benchCache = join(tmpdir(), "sinogram-mar-benchmark");

/** The folder that holds ct-train, unpacked once. */
export function trainFolder(cache = benchCache): string {
  const target = join(cache, "ct-train");
  if (existsSync(target)) return cache;
  const archive = realData("ct-train.tar.xz");
  if (!archive) throw new Error("The benchmark needs ct-train.tar.xz of the real data (SINOGRAM_DATA).");
  mkdirSync(cache, { recursive: true });
  const { status, stderr } = spawnSync("tar", ["-xJf", archive, "-C", cache], { encoding: "utf8" });
  if (status !== 0) throw new Error(`tar could not unpack ${archive}: ${stderr}`);
  return cache;
}

export interface CleanSlice {
  file: string;
  /** HU of side × side pixels, air and padding at −1000. */
  hu: Float32Array<ArrayBuffer>;
  side: number;
}

async function cleanSlice(file: string): Promise<CleanSlice | undefined> {
  const path = file.startsWith("ct-train/") ? join(trainFolder(), file) : realData(file);
  if (!path) throw new Error(`The benchmark needs ${file} of the real data (SINOGRAM_DATA).`);
  const { volume } = await readSeries([path]);
  const [, side, columns] = volume.shape as [number, number, number];
  if (side !== columns || volume.data.some((value) => value > mostHu)) return undefined;
  return { file, side, hu: volume.data.map((value) => Math.max(-1000, value)) };
}

/** `count` slices without metal, evenly spread over the region; fewer files than that are taken again in turn. */
export async function regionSlices({ files, patient }: Region, count: number): Promise<CleanSlice[]> {
  const found: CleanSlice[] = [];
  for (let k = 0; k < count; k++) {
    const at = files.length >= count ? ((k + 0.5) * files.length) / count : k;
    let slice: CleanSlice | undefined;
    for (let step = 0; step < files.length && !slice; step++)
      slice = await cleanSlice(files[(Math.floor(at) + step) % files.length]!);
    if (!slice) throw new Error(`${patient}: every slice holds metal`);
    found.push(slice);
  }
  return found;
}
