/** Parsers of option values: a wrong one is a usage error that says what was expected. */
import { InvalidArgumentError } from "commander";

function numberThat(meaning: string, accepts: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || !accepts(value)) throw new InvalidArgumentError(`Expected ${meaning}.`);
    return value;
  };
}

export const anyNumber = numberThat("a number", () => true);
export const positiveNumber = numberThat("a number above 0", (value) => value > 0);
export const fraction = numberThat("a number above 0 and up to 1", (value) => value > 0 && value <= 1);
export const count = numberThat("a positive integer", (value) => Number.isSafeInteger(value) && value >= 1);
export const wholeNumber = numberThat("a whole number from 0 up", (value) => Number.isSafeInteger(value) && value >= 0);
export const threadCount = numberThat("an integer from 1 to 1024", (v) => Number.isInteger(v) && v >= 1 && v <= 1024);

export function device(text: string): "auto" | "cpu" | `cuda:${number}` {
  if (text === "auto" || text === "cpu") return text;
  if (text === "cuda") return "cuda:0";
  if (!/^cuda:\d+$/.test(text)) throw new InvalidArgumentError('Expected "auto", "cpu" or "cuda:N".');
  return text as `cuda:${number}`;
}

/** "0.7" or "0.7,0.8": row spacing, column spacing. */
export function pixelSize(text: string): [number, number] {
  const values = text.split(/[,x]/).map((part) => positiveNumber(part));
  const [row, column = row] = values;
  if (values.length > 2) throw new InvalidArgumentError("Expected one number or two: row spacing, column spacing.");
  return [row!, column!];
}

/** "auto", or a number from 0 up. */
export function sigma(text: string): number | "auto" {
  return text === "auto" ? text : numberThat('"auto" or a number from 0 up', (value) => value >= 0)(text);
}

/** "0.9,0.05,0.05" */
export const numbers = (text: string): number[] => text.split(",").map((part) => anyNumber(part));

/** "class=2,values=0.6/1" or, by the names that the model's card has, "bodyPart=chest,age=60". */
export interface ConditionWords {
  class?: number;
  values?: number[];
  named?: Record<string, string>;
}

export function condition(text: string): ConditionWords {
  const result: ConditionWords = {};
  for (const part of text.split(",")) {
    const [name, value] = part.split("=", 2) as [string, string?];
    if (!name || value === undefined)
      throw new InvalidArgumentError('Expected conditions as in "bodyPart=chest,age=60" or "class=2,values=0.6/1".');
    if (name === "class") result.class = wholeNumber(value);
    else if (name === "values") result.values = value.split("/").map((v) => anyNumber(v));
    else result.named = { ...result.named, [name]: value };
  }
  return result;
}

/** "-160,240" */
export function range(text: string): [number, number] {
  const [low, high, ...more] = text.split(",").map((part) => anyNumber(part));
  if (low === undefined || high === undefined || more.length > 0 || !(low < high))
    throw new InvalidArgumentError('Expected two numbers, the smaller first, as in "-160,240".');
  return [low, high];
}

/** "2/8": the second of eight. */
export function shard(text: string): { index: number; count: number } {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || count === undefined || index < 1 || index > count)
    throw new InvalidArgumentError('Expected i/n with i from 1 to n, as in "2/8".');
  return { index, count };
}

/** "4G", "512M", or a number of bytes. */
export function byteCount(text: string): number {
  const [, number = "", unit = ""] = /^([\d.]+)\s*([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  const bytes = Number(number) * 1024 ** " KMGT".indexOf(unit.toUpperCase() || " ");
  if (!(bytes >= 1)) throw new InvalidArgumentError('Expected a size, as in "4G" or "512M".');
  return Math.floor(bytes);
}
