/** Results appear whole or not at all: made in a folder beside their target, synced, and put in place by one rename. */
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { sinoError } from "../core/errors.ts";
import { ioError, makeFolder, syncFolder, writeFileAtomic } from "../core/files.ts";
import { failedPath, stageOf, stagingFolder } from "./layout.ts";
import { isOurs } from "./result.ts";

/**
 * Runs `make` with the path of a folder that it makes and fills, then puts that folder at `target` where `mayCommit` agrees.
 * Throws ERR_SINO_IO where `target` holds something that no batch made.
 */
export async function withStage<T>(
  target: string,
  token: string,
  mayCommit: () => Promise<void>,
  make: (folder: string) => Promise<T>,
): Promise<T> {
  const stage = stageOf(target, token);
  const folder = join(stage, "result");
  try {
    await refuseForeign(target);
    await makeFolder(stage).catch(() => makeFolder(stage)); // somebody may just have removed an empty staging folder
    const result = await make(folder);
    await syncFolder(folder);
    await mayCommit();
    await refuseForeign(target);
    await rename(target, join(stage, "old")).catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rename(folder, target);
    await syncFolder(dirname(target));
    return result;
  } catch (error) {
    const { details, cause } = error as { details?: { path?: string }; cause?: unknown };
    const isInside = cause !== undefined && details?.path?.includes(basename(stage));
    throw ioError("write", target, isInside ? cause : error); // the sentence names what was asked for
  } finally {
    await rm(stage, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Puts failed.json at `target`, beside an older result where there is one; folders that hold something else are left alone. */
export async function putFailed(target: string, token: string, text: string): Promise<void> {
  if (!(await isOurs(target))) return;
  const stage = stageOf(target, token);
  const folder = join(stage, "result");
  try {
    await writeFileAtomic(failedPath(folder), text);
    await mkdir(target).catch(() => undefined);
    await rename(failedPath(folder), failedPath(target));
    await syncFolder(target);
  } catch (error) {
    throw ioError("write", failedPath(target), error);
  } finally {
    await rm(stage, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function refuseForeign(target: string): Promise<void> {
  if (await isOurs(target)) return;
  throw sinoError(
    "ERR_SINO_IO",
    `Cannot write ${target}: the folder holds something that no batch made. Move it away, or choose another output.`,
    { details: { path: target } },
  );
}

/** Names of stages in a staging folder. */
export async function listStages(staging: string): Promise<string[]> {
  return readdir(staging).catch(() => []);
}

const stageName = /^(.*)\.[0-9a-f]{12}$/;

/** What dead processes left of this target. Only for who holds the claim. */
export async function clearStages(target: string): Promise<void> {
  const staging = stagingFolder(target);
  for (const name of await listStages(staging))
    if (stageName.exec(name)?.[1] === basename(target)) await rm(join(staging, name), { recursive: true, force: true });
}

/** What the holder of this token left of this target. */
export async function clearStage(target: string, token: string): Promise<void> {
  await rm(stageOf(target, token), { recursive: true, force: true }).catch(() => undefined);
}

/** Targets (by name) of which something is left in this staging folder. */
export async function stagedTargets(staging: string): Promise<Set<string>> {
  return new Set((await listStages(staging)).map((name) => stageName.exec(name)?.[1] ?? name));
}

/** Only where it is empty. */
export async function removeStaging(staging: string): Promise<void> {
  await rmdir(staging).catch(() => undefined);
}
