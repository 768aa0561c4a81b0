/** The version of this package, the one place where it is read. */
import { createRequire } from "node:module";

export const { version } = createRequire(import.meta.url)("sinogram/package.json") as { version: string };
