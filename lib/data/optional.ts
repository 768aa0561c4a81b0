/** Loading packages that may be absent because they are optional dependencies. */
import { sinoError } from "../core/errors.ts";

/**
 * Loads an optional package: `load` is `() => import("…")`. Throws ERR_SINO_UNSUPPORTED, which names the package and the
 * command that installs it, when it is not there; any other failure is passed on as it is.
 */
export async function importOptional<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code, message = "" } = cause as NodeJS.ErrnoException;
    const isMissing = (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") && message.includes(name);
    if (!isMissing) throw cause;
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `${purpose} needs the optional package ${name}, which is not installed. Type: npm install ${name}.`,
      {
        cause,
        details: { package: name },
      },
    );
  }
}
