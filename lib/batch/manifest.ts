/** batch.json: the list of the latest run, by which `batch status` knows what should be there. */
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { sha256 } from "../core/digest.ts";
import { sinoError } from "../core/errors.ts";
import { ioError, writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import type { PlannedJob, Task } from "./job.ts";
import { logsFolder, manifestPath } from "./layout.ts";

export interface ManifestJob {
  id: string;
  input: string;
  series?: string;
  output: string;
  configHash: string;
}

export interface Manifest {
  software: "sinogram";
  version: string;
  task: Task;
  jobs: ManifestJob[];
}

/** The text, one job per line, and its hash. */
export async function manifestText(task: Task, jobs: readonly PlannedJob[]): Promise<{ text: string; hash: string }> {
  const lines: string[] = [];
  for (const [i, { id, input, series, output, configHash }] of jobs.entries()) {
    const job: ManifestJob = { id, input, ...(series ? { series } : {}), output, configHash };
    lines.push(JSON.stringify(job));
    if (i % 500 === 499) await nextTurn();
  }
  const head = `"software":"sinogram","version":${JSON.stringify(version)},"task":${JSON.stringify(task)}`;
  const text = `{${head},"jobs":[\n${lines.join(",\n")}\n]}\n`;
  return { text, hash: sha256(text).slice(0, 12) };
}

export async function writeManifest(out: string, text: string): Promise<void> {
  const earlier = await readFile(manifestPath(out), "utf8").catch(() => undefined);
  if (earlier === text) return;
  const made = join(logsFolder(out), "batch.json"); // in logs/, where a process that dies may leave it
  await writeFileAtomic(made, text);
  await rename(made, manifestPath(out)).catch((error) => {
    throw ioError("write", manifestPath(out), error);
  });
}

/** Throws ERR_SINO_IO, or ERR_SINO_IO_FORMAT where no batch has been run there. */
export async function readManifest(out: string): Promise<Manifest> {
  const path = manifestPath(out);
  const text = await readFile(path, "utf8").catch((error) => {
    throw ioError("read", path, error);
  });
  try {
    const manifest = JSON.parse(text) as Manifest;
    if (manifest.software === "sinogram" && Array.isArray(manifest.jobs)) return manifest;
  } catch {
    // said below
  }
  throw sinoError("ERR_SINO_IO_FORMAT", `${path} is not the list of a batch. Name the output folder of a batch.`);
}
