/** Other people's packages as independent references: in the Python that SINOGRAM_PYTHON names, in .venv, or in python3, the first that has them. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ArrayLike } from "../../lib/core/arrays.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { temporaryFolder } from "./files.ts";

/** Runs a script that finds `arrays` in the dictionary A, as float64 where they were float32, and gives what it says: `say(object)`, NaN as null. */
export type Peers = <T>(script: string, arrays: Readonly<Record<string, ArrayLike>>) => Promise<T>;

const beside = join(resolve(import.meta.dirname, "../.."), ".venv/bin/python");

const call = (python: string, script: string, ...args: string[]) =>
  spawnSync(python, ["-W", "ignore", "-c", script, ...args], { encoding: "utf8", maxBuffer: 2 ** 28 });

const load = `
import json, os, sys, numpy as np
widen = lambda a: a.astype(np.float64) if a.dtype == np.float32 else a
A = {name[:-4]: widen(np.load(os.path.join(sys.argv[1], name))) for name in os.listdir(sys.argv[1])}
say = lambda found: print(json.dumps(found).replace("NaN", "null"))
`;

/** Undefined where no Python has them all. */
export function peersWith(...packages: string[]): Peers | undefined {
  const search = `import importlib.util as u, sys; sys.exit(not all(u.find_spec(p) for p in ${JSON.stringify(packages)}))`;
  const candidates = [process.env["SINOGRAM_PYTHON"], existsSync(beside) ? beside : undefined, "python3"];
  const python = candidates.find((name) => name !== undefined && call(name, search).status === 0);
  if (python === undefined) return undefined;
  return async (script, arrays) => {
    const folder = temporaryFolder();
    for (const [name, array] of Object.entries(arrays)) await writeNpy(join(folder, `${name}.npy`), array);
    const run = call(python, load + script, folder);
    if (run.status !== 0) throw new Error(`${python} failed: ${run.stderr || run.error}`);
    return JSON.parse(run.stdout);
  };
}
