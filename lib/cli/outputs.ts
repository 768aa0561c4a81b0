/**
 * Outputs of one command appear together or not at all: everything is written under temporary names beside its target,
 * and renamed when the last of it is complete. Targets are checked before the work begins.
 */
import { randomBytes } from "node:crypto";
import { constants, existsSync, readdirSync, rmSync } from "node:fs";
import { access, mkdir, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { ArrayLike } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { ioError, putFolder, writeFileAtomic } from "../core/files.ts";
import { parseArraySpec, type WriteArrayOptions, writeArray } from "../data/array-files.ts";
import { reportFiles } from "../report/report.ts";

function refuse(path: string, why: string): Error {
  return sinoError("ERR_SINO_IO", `Cannot write ${path}: ${why}`, { details: { path } });
}

/** Throws ERR_SINO_IO where a file cannot be put at `path`, or would replace one of `inputs`. */
export async function checkFileTarget(path: string, inputs: readonly string[] = []): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw refuse(path, "it is a folder. Name a file.");
  if (found && !found.isFile()) throw refuse(path, "it is not a regular file.");
  await checkParent(path);
  const target = await realPathOf(path);
  for (const input of inputs)
    if ((await realPathOf(input)) === target)
      throw refuse(path, "it is an input of this command. Choose another name.");
}

/** Where the file of an array spec ("scan.npz:image") or a path lies, symbolic links followed. */
export async function realPathOf(spec: string): Promise<string> {
  let path = spec;
  try {
    ({ path } = parseArraySpec(spec));
  } catch {
    // no array: a geometry, or a name that is refused later
  }
  return realpath(path).catch(() => resolve(path));
}

/** As checkFileTarget, for the files of a report in the folder of `path`. */
export async function checkReportTargets(path: string, inputs: readonly string[]): Promise<void> {
  for (const name of reportFiles) await checkFileTarget(join(dirname(path), name), inputs);
}

async function checkParent(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  const found = await stat(folder).catch(() => undefined);
  if (!found) throw refuse(path, `the folder ${folder} does not exist. Make it first.`);
  if (!found.isDirectory()) throw refuse(path, `${folder} is not a folder.`);
  await access(folder, constants.W_OK).catch((error) => {
    throw ioError("write", path, error);
  });
}

/** Throws ERR_SINO_IO where a folder of results cannot be made at `path`, or it holds something and `overwrite` is not set. */
export async function checkFolderTarget(path: string, overwrite: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isDirectory()) throw refuse(path, "it exists and is not a folder.");
  if (!found) return checkParent(path);
  const names = await readdir(path).catch((error) => {
    throw ioError("read", path, error);
  });
  if (names.length > 0 && !overwrite)
    throw refuse(path, "the folder is not empty. Choose another one, or add --overwrite.");
  await access(path, constants.W_OK).catch((error) => {
    throw ioError("write", path, error);
  });
}

const temporaryName = (path: string): string => {
  const tail = /(\.nii\.gz|\.[^.]*)?$/i.exec(basename(path))![0];
  return join(dirname(path), `.${basename(path, tail)}.${randomBytes(6).toString("hex")}.tmp${tail}`);
};

const pending = new Set<string>();

/** A temporary path that goes when the process ends before its work does: asked to stop twice, or ended by an error elsewhere. */
function temporarily(path: string): string {
  if (pending.size === 0) process.once("exit", removePending);
  pending.add(path);
  return path;
}

function settled(path: string): void {
  pending.delete(path);
  if (pending.size === 0) process.off("exit", removePending);
}

function removePending(): void {
  for (const path of pending) {
    // writers below put names of their own around this one
    const names = existsSync(dirname(path)) ? readdirSync(dirname(path)) : [];
    for (const name of names)
      if (name.includes(basename(path))) rmSync(join(dirname(path), name), { recursive: true, force: true });
  }
}

/** Files that are staged one by one and put in place together. */
export class FileOutputs {
  readonly #staged: { temporary: string; path: string }[] = [];

  #stage(path: string): string {
    const temporary = temporarily(temporaryName(path));
    this.#staged.push({ temporary, path });
    return temporary;
  }

  async array(spec: string, array: ArrayLike, options?: WriteArrayOptions): Promise<void> {
    const { path, part } = parseArraySpec(spec);
    await writeArray(this.#stage(path) + (part ? `:${part}` : ""), array, options).catch(named(path));
  }

  async file(path: string, ...chunks: (Uint8Array | string)[]): Promise<void> {
    await writeFileAtomic(this.#stage(path), ...chunks).catch(named(path));
  }

  /** Paths that were staged, in order. */
  get paths(): string[] {
    return this.#staged.map(({ path }) => path);
  }

  async commit(): Promise<void> {
    for (const { temporary, path } of this.#staged) {
      await rename(temporary, path).catch((error) => {
        throw ioError("write", path, error);
      });
      settled(temporary);
    }
  }

  async rollback(): Promise<void> {
    for (const { temporary } of this.#staged) {
      await rm(temporary, { force: true }).catch(() => undefined);
      settled(temporary);
    }
  }
}

/** The sentence of a failed write names the file that was asked for, not the temporary one. */
function named(path: string): (error: unknown) => never {
  return (error) => {
    const { cause } = error as { cause?: unknown };
    throw (error as { code?: string }).code === "ERR_SINO_IO" && cause ? ioError("write", path, cause) : error;
  };
}

/** Runs `write`; what it staged is put in place when it resolves, and removed when it rejects or `signal` has been aborted. */
export async function withFileOutputs(
  signal: AbortSignal,
  write: (outputs: FileOutputs) => Promise<void>,
): Promise<string[]> {
  const outputs = new FileOutputs();
  try {
    await write(outputs);
    signal.throwIfAborted();
    await outputs.commit();
    return outputs.paths;
  } catch (error) {
    await outputs.rollback();
    throw error;
  }
}

const ourFiles = /^(\d{4,}\.dcm|sinogram\.json|evaluation\.json|report\.html|(before|after|difference)\.png)$/;

/**
 * Runs `write` with an empty temporary folder beside `path`, which then takes its place. In a folder that holds something already,
 * files are replaced one by one and what an earlier run left over goes; files of other names stay.
 */
export async function withFolderOutput(
  path: string,
  signal: AbortSignal,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  const target = resolve(path);
  const name = `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`;
  const temporary = temporarily(join(dirname(target), name));
  try {
    await mkdir(temporary);
    await write(temporary);
    signal.throwIfAborted();
    await putFolder(temporary, target, ourFiles);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    const { details, cause } = error as { details?: { path?: string }; cause?: unknown };
    throw ioError("write", path, cause && details?.path?.startsWith(temporary) ? cause : error);
  } finally {
    settled(temporary);
  }
}
