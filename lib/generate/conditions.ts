/** Conditions by the names that a model's card gives them: bodyPart=chest, age=60. */
import { sinoError } from "../core/errors.ts";
import type { ConditionNames, ConditionScale, Trained } from "../models/trained.ts";

/**
 * Class and values for `generate` out of names. A value that is not named is none, as 0. Throws ERR_SINO_UNSUPPORTED for what the
 * network never learned, naming what it did; ERR_SINO_ARG_TYPE for a value that is no number, ERR_SINO_OUT_OF_RANGE
 * for one outside of what was learned.
 *
 *     const chest = namedConditions(trained, { bodyPart: "chest", age: "60" });
 */
export function namedConditions(
  { conditions = {}, network }: Pick<Trained, "conditions" | "network">,
  given: Readonly<Record<string, string | number>>,
): { class?: number; values?: number[] } {
  const entries = Object.entries(conditions) as [string, ConditionNames[string]][];
  const known = entries.map(([name, of]) => (Array.isArray(of) ? `${name} (${of.join(", ")})` : name)).join(", ");
  const unlearned = (what: string) =>
    sinoError(
      "ERR_SINO_UNSUPPORTED",
      `The network never learned ${what}: it has ${known || "no conditions by name, though perhaps by number (class=2)"}.`,
    );
  const columns = entries.filter(([, of]) => !Array.isArray(of)).map(([name]) => name);
  const result: { class?: number; values?: number[] } = {};
  for (const [name, said] of Object.entries(given)) {
    const of = new Map(entries).get(name);
    if (of === undefined) throw unlearned(name);
    if (Array.isArray(of)) {
      const index = of.indexOf(String(said));
      if (index < 0) throw unlearned(`${name}=${said}`);
      result.class = index;
      continue;
    }
    const { offset = 0, factor = 1, range } = of as ConditionScale;
    const value = Number(said);
    if (!Number.isFinite(value) || said === "")
      throw sinoError("ERR_SINO_ARG_TYPE", `Expected a number for ${name} but received ${said}.`);
    if (range && !(value >= range[0] && value <= range[1]))
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `The network never learned ${name}=${said}: expected a number from ${range[0]} to ${range[1]}.`,
      );
    const width = network.kind === "unet" ? (network.values ?? columns.length) : columns.length;
    result.values ??= new Array<number>(width).fill(0);
    result.values[columns.indexOf(name)] = (value - offset) * factor;
  }
  return result;
}
