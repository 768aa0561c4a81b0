/** Where a derived series may lie. */
import { realpath } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { sinoError } from "../core/errors.ts";
import type { Run } from "./command.ts";

/** The source must not be overwritten, nor found again as an input by the next run. */
export async function checkApart(folder: string, output: string, { console }: Run): Promise<void> {
  const source = await realpath(folder);
  const target = await realpath(output).catch(() => resolve(output));
  if (source === target)
    throw sinoError("ERR_SINO_IO", `Cannot write ${output}: the source series lies there. Choose another folder.`, {
      details: { path: output },
    });
  const inside = relative(source, target);
  if (inside !== "" && !inside.startsWith(".."))
    console.warn(`${output} lies inside ${folder}: the next run there will find two series, and needs --series.`);
}
