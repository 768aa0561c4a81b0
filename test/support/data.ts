/** Optional real data beside the checkout; tests that need it skip, saying so, where it is absent. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../../shared/data");
export const noRealData = "real data not present (set SINOGRAM_DATA to its folder)";

/** The path of a real data file or folder, or undefined where it is not there. */
export function realData(name: string): string | undefined {
  const path = join(process.env["SINOGRAM_DATA"] ?? root, name);
  return existsSync(path) ? path : undefined;
}
