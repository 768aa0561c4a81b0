/** Which training steps a sampler visits, from the noisiest down, and their noise levels. */
import { show, sinoError } from "../core/errors.ts";
import { requireBetween, requireChoice, requireCount } from "./check.ts";
import type { Schedule } from "./schedule.ts";

/** Training steps in the order of sampling, the noisiest first. */
export type Timesteps = ArrayLike<number>;

export const spacings = ["linspace", "ends", "leading", "trailing"] as const;
export type Spacing = (typeof spacings)[number];

export interface SpacingOptions {
  /**
   * Of T steps, n: "leading" (default) multiples of ⌊T/n⌋ from 0; "trailing" multiples of T/n down from T, less 1; "linspace" from
   * T − 1 evenly to 0, without 0; "ends" with it, not rounded.
   */
  spacing?: Spacing;
  /** Added to "leading"; default 0. */
  offset?: number;
}

/** Halves to even, as other libraries round. */
function round(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** `count` training steps of `schedule`, descending. Throws ERR_SINO_OUT_OF_RANGE. */
export function timesteps(schedule: Schedule, count: number, options: SpacingOptions = {}): Float64Array {
  const { spacing = "leading", offset = 0 } = options;
  const total = schedule.steps;
  requireChoice(spacing, "spacing", spacings);
  requireBetween(count, "count", 1, Number.MAX_SAFE_INTEGER);
  if (count > total)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected at most as many sampling steps as the schedule has training steps, ${total}, but received ${count}.`,
      { details: { count, steps: total } },
    );
  requireCount(count, "count", 1, total);
  const stride = Math.floor(total / count);
  requireCount(offset, "offset", 0, total - 1 - (count - 1) * stride);
  const last = total - 1;
  return Float64Array.from({ length: count }, (_, i) => {
    if (count === total) return last - i;
    if (spacing === "leading") return (count - 1 - i) * stride + offset;
    if (spacing === "trailing") return round(total - (i * total) / count) - 1;
    if (spacing === "linspace") return round((last * (count - i)) / count);
    return count === 1 ? last : (last * (count - 1 - i)) / (count - 1);
  });
}

/**
 * The last `count` of trailing timesteps, from the share `strength` of the schedule down: for chains that start from an image with that
 * much noise. Strength 1 is the whole schedule. Throws ERR_SINO_OUT_OF_RANGE.
 */
export function startingTimesteps(schedule: Schedule, count: number, strength: number): Float64Array {
  requireBetween(strength, "strength", Number.MIN_VALUE, 1);
  const whole = timesteps(schedule, count, { spacing: "trailing" });
  const all = Math.min(schedule.steps, Math.max(count, Math.round(count / strength)));
  return all === count ? whole : timesteps(schedule, all, { spacing: "trailing" }).slice(-count);
}

/** guided-diffusion's respacing: so many steps, evenly, from each of equal sections of the schedule, the cleanest first. */
export function sectionTimesteps(schedule: Schedule, counts: readonly number[]): Float64Array {
  if (!Array.isArray(counts) || counts.length === 0)
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected a list of counts per section but received ${show(counts)}.`);
  const base = Math.floor(schedule.steps / counts.length);
  const extra = schedule.steps % counts.length;
  const taken: number[] = [];
  let start = 0;
  for (const [section, count] of counts.entries()) {
    const size = base + (section < extra ? 1 : 0);
    requireCount(count, `counts[${section}]`, 1, size);
    const stride = count === 1 ? 1 : (size - 1) / (count - 1);
    for (let i = 0; i < count; i++) taken.push(start + round(i * stride));
    start += size;
  }
  return Float64Array.from(taken.reverse());
}

/** Throws ERR_SINO_OUT_OF_RANGE where they do not fall from below T to 0 or more. */
export function requireTimesteps(steps: Timesteps, schedule: Schedule): void {
  const list = Array.from(steps);
  const falls = list.every((t, i) => t >= 0 && t < schedule.steps && (i === 0 || t < list[i - 1]!));
  if (list.length === 0 || !falls)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected timesteps that fall strictly, each from 0 to ${schedule.steps - 1}, but received ${show(list)}.`,
    );
}

/** ᾱ at these timesteps. Throws ERR_SINO_OUT_OF_RANGE where they are not whole, or do not fall. */
export function alphasAt(schedule: Schedule, steps: Timesteps): number[] {
  requireTimesteps(steps, schedule);
  return Array.from(steps, (t) => {
    if (Number.isInteger(t)) return schedule.alphasCumprod[t]!;
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected whole timesteps for this sampler but received ${t}.`);
  });
}

/** Noise levels s = √(1 − ᾱ)/√ᾱ of a sampler's steps, one more than there are timesteps: where the last step arrives. */
export interface NoiseLevels {
  readonly timesteps: Float64Array;
  readonly sigmas: Float64Array;
}

/** Throws ERR_SINO_OUT_OF_RANGE where there is not one level more than timesteps, or they rise. */
export function requireLevels({ timesteps, sigmas }: NoiseLevels): void {
  const list = Array.from(sigmas);
  const fall = list.every(
    (s, i) => s >= 0 && Number.isFinite(s) && (i === 0 || s <= list[i - 1]!) && (s > 0 || i === timesteps.length),
  );
  if (timesteps.length > 0 && list.length === timesteps.length + 1 && fall) return;
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Expected noise levels that fall, one more than the ${timesteps.length} timesteps and only the last of them 0, but received ${show(list)}.`,
  );
}

export interface LevelOptions {
  /** Where the last step arrives: "zero" (default), or "min", the level of the schedule's first step. */
  final?: "zero" | "min";
}

/** At zero terminal SNR the last ᾱ counts as 2^−24, so that its level is finite. */
function levelOf(bar: number): number {
  const kept = Math.max(bar, 2 ** -24);
  return Math.sqrt((1 - kept) / kept);
}

/** Position `at` of a table, linear between its entries. */
function between(table: ArrayLike<number>, at: number): number {
  const i = Math.min(Math.max(Math.floor(at), 0), table.length - 2);
  return table.length === 1 ? table[0]! : table[i]! + (at - i) * (table[i + 1]! - table[i]!);
}

/** The levels of these timesteps, linear in s between training steps. Throws ERR_SINO_OUT_OF_RANGE. */
export function levelsOf(schedule: Schedule, steps: Timesteps, options: LevelOptions = {}): NoiseLevels {
  const { final = "zero" } = options;
  requireTimesteps(steps, schedule);
  requireChoice(final, "final", ["zero", "min"]);
  const table = schedule.alphasCumprod.map(levelOf);
  const sigmas = [...Array.from(steps, (t) => between(table, t)), final === "min" ? table[0]! : 0];
  return { timesteps: Float64Array.from(steps), sigmas: Float64Array.from(sigmas) };
}

/** T. Karras et al., "Elucidating the design space of diffusion-based generative models", NeurIPS 2022, equation 5. */
export function karrasSigmas(count: number, min: number, max: number, rho = 7): Float64Array {
  requireCount(count, "count", 1, 1e6);
  requireBetween(min, "min", Number.MIN_VALUE, Number.MAX_VALUE);
  requireBetween(max, "max", min, Number.MAX_VALUE);
  requireBetween(rho, "rho", Number.MIN_VALUE, Number.MAX_VALUE);
  const [high, low] = [max ** (1 / rho), min ** (1 / rho)];
  return Float64Array.from(
    { length: count },
    (_, i) => (high + (count === 1 ? 0 : i / (count - 1)) * (low - high)) ** rho,
  );
}

export interface KarrasOptions extends LevelOptions {
  /** Default 7. */
  rho?: number;
  /** Whole timesteps for networks that know no others; default false. */
  rounded?: boolean;
  /** Levels between which to lie; default: those of the schedule. */
  min?: number;
  max?: number;
}

/** `count` levels after Karras, with the timesteps at which the schedule has them (linear in ln s). */
export function karrasLevels(schedule: Schedule, count: number, options: KarrasOptions = {}): NoiseLevels {
  const table = schedule.alphasCumprod.map(levelOf);
  const { final = "zero", rho = 7, rounded = false, min = table[0]!, max = table.at(-1)! } = options;
  requireChoice(final, "final", ["zero", "min"]);
  const sigmas = karrasSigmas(count, min, max, rho);
  const logs = table.map(Math.log);
  const steps = sigmas.map((sigma) => {
    const t = positionIn(logs, Math.log(sigma));
    return rounded ? round(t) : t;
  });
  return {
    timesteps: steps,
    sigmas: Float64Array.from([...sigmas, final === "min" ? Math.min(table[0]!, sigmas.at(-1)!) : 0]),
  };
}

/** Where a rising table has `value`, linear between its entries. */
function positionIn(table: Float64Array, value: number): number {
  if (value <= table[0]!) return 0;
  const above = table.findIndex((entry) => entry >= value);
  if (above < 0) return table.length - 1;
  return above - (table[above]! - value) / (table[above]! - table[above - 1]!);
}

/** `count` levels for networks preconditioned after Karras et al.: their timestep is ¼·ln s. */
export function edmLevels(count: number, { min = 0.002, max = 80, rho = 7 } = {}): NoiseLevels {
  const sigmas = karrasSigmas(count, min, max, rho);
  return { timesteps: sigmas.map((s) => 0.25 * Math.log(s)), sigmas: Float64Array.from([...sigmas, 0]) };
}
