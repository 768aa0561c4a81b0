/** NumPy's .npz: a zip file of .npy members, one per named array. */
import type { ArrayLike } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { writeFileAtomic } from "../core/files.ts";
import { encodeNpy, type NpyArray, readNpyFrom } from "./npy.ts";
import { type ByteSource, formatError, withFile } from "./source.ts";
import { encodeZip, listZip, readZipEntry, type ZipEntry } from "./zip.ts";

async function arraysIn(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const entries = await listZip(source);
  return new Map(entries.filter((e) => e.name.endsWith(".npy")).map((e) => [e.name.slice(0, -".npy".length), e]));
}

/** The names of the arrays in an .npz file, in its order. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT. */
export function listNpz(path: string): Promise<string[]> {
  return withFile(path, async (source) => [...(await arraysIn(source)).keys()]);
}

/**
 * Reads one array of an .npz file (stored, deflated or ZIP64; checksums verified). The key may be left out when the file
 * holds one array. Throws ERR_SINO_IO; ERR_SINO_IO_FORMAT, which lists the keys that exist when the wanted one does not.
 */
export function readNpz(path: string, key?: string): Promise<NpyArray & { key: string }> {
  return withFile(path, async (source) => {
    const arrays = await arraysIn(source);
    const keys = [...arrays.keys()];
    const wanted = key ?? (keys.length === 1 ? keys[0]! : undefined);
    const entry = wanted === undefined ? undefined : arrays.get(wanted);
    if (wanted === undefined || !entry) {
      const request = key === undefined ? "name one of its arrays" : `it has no array ${show(key)}`;
      throw formatError(path, `${request}; it holds ${keys.join(", ") || "none"}. Write ${path}:KEY.`, { keys });
    }
    return { ...(await readNpyFrom(await readZipEntry(source, entry))), key: wanted };
  });
}

/**
 * Writes named arrays as an .npz file, atomically; the same arrays give the same bytes. `compress` deflates (default false).
 * Throws ERR_SINO_IO, ERR_SINO_ARG_TYPE, and ERR_SINO_UNSUPPORTED from 4 GiB on.
 */
export async function writeNpz(
  path: string,
  arrays: Readonly<Record<string, ArrayLike>>,
  { compress = false }: { compress?: boolean } = {},
): Promise<void> {
  const members = Object.entries(arrays).map(([key, array]) => {
    if (key === "")
      throw sinoError(
        "ERR_SINO_ARG_TYPE",
        "Expected a name for every array of an .npz file but received an empty one.",
      );
    return { name: `${key}.npy`, chunks: encodeNpy(array) };
  });
  await writeFileAtomic(path, ...(await encodeZip(members, compress)));
}
