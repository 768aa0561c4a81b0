/** Writing files so that nothing is ever half-written: a temporary name beside the target, synced, then renamed. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { sinoError } from "./errors.ts";

const reasons: Record<string, string> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOENT: "no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
  EEXIST: "it already exists",
  EMFILE: "too many open files",
};

/** Turns a file system error into a SinogramError that names the path and the reason. */
export function ioError(action: string, path: string, cause: unknown): Error {
  const system = cause as NodeJS.ErrnoException;
  if (!system?.syscall && !(system?.code && system.code in reasons)) return cause as Error;
  const reason = reasons[system.code ?? ""] ?? system.message;
  return sinoError("ERR_SINO_IO", `Cannot ${action} ${path}: ${reason}.`, {
    cause,
    details: { path, errno: system.code },
  });
}

/** Makes a folder and those above it. (`mkdir` with `recursive` never returns under /proc on Node 20.) Throws ERR_SINO_IO. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (isFolder) return;
    if (code !== "ENOENT" || dirname(path) === path) throw ioError("make the folder", path, error);
    await makeFolder(dirname(path));
    await mkdir(path).catch((again) => {
      throw ioError("make the folder", path, again);
    });
  }
}

/** Writes `chunks` to `path` atomically, making its folder when needed. Throws ERR_SINO_IO; leaves nothing behind then. */
export async function writeFileAtomic(path: string, ...chunks: (Uint8Array | string)[]): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await makeFolder(dirname(path));
    const file = await open(temporary, "wx");
    try {
      for (const chunk of chunks) await file.appendFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw ioError("write", path, error);
  }
}

/** So that names survive a crash too; some systems cannot sync folders, which is no failure. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/**
 * Puts the folder `made` at `target`: in one step where that is new or empty; else file by file, and what an earlier run left, its
 * name as `ours` says, goes. Other files stay.
 */
export async function putFolder(made: string, target: string, ours: RegExp): Promise<void> {
  await syncFolder(made);
  const earlier = await readdir(target).catch(() => undefined);
  if (!earlier || earlier.length === 0) {
    if (earlier) await rmdir(target);
    await rename(made, target);
  } else {
    const names = new Set(await readdir(made));
    for (const name of names) await rename(join(made, name), join(target, name));
    for (const name of earlier) if (ours.test(name) && !names.has(name)) await rm(join(target, name), { force: true });
    await rmdir(made);
    await syncFolder(target);
  }
  await syncFolder(dirname(target));
}
