/** Options of schedules and samplers, checked in words. */
import { nearest } from "../batch/nearest.ts";
import { show, sinoError } from "../core/errors.ts";

/** Throws ERR_SINO_OUT_OF_RANGE, with the choice that was probably meant. */
export function requireChoice<T extends string>(value: T, name: string, choices: readonly T[]): void {
  if (choices.includes(value)) return;
  const near = typeof value === "string" ? nearest(value, choices) : undefined;
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Expected ${choices.map((choice) => show(choice)).join(", ")} for ${name} but received ${show(value)}.${near ? ` Did you mean ${show(near)}?` : ""}`,
    near ? { details: { suggestion: near } } : {},
  );
}

/** Throws ERR_SINO_ARG_TYPE or ERR_SINO_OUT_OF_RANGE. */
export function requireBetween(value: number, name: string, low: number, high: number): void {
  if (typeof value !== "number")
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected a number for ${name} but received ${show(value)}.`);
  if (!(value >= low && value <= high))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a number from ${low} to ${high} for ${name} but received ${value}.`,
    );
}

/** Throws ERR_SINO_ARG_TYPE or ERR_SINO_OUT_OF_RANGE. */
export function requireCount(value: number, name: string, low: number, high: number): void {
  requireBetween(value, name, low, high);
  if (!Number.isInteger(value))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a whole number for ${name} but received ${value}.`);
}
