/**
 * Drawn CT slices to train on besides the few real ones: heads, chests, bellies and thighs out of ellipses with wavy edges,
 * with vessels, cortical bone, texture and noise. Nobody's anatomy: what a network should learn from them is edges, layers
 * and HU, not diagnoses. The same seed draws the same slices.
 *
 *     node --import tsx scripts/draw-anatomy.ts -n 200 --size 416 --seed 1 -o drawn.npy      # --kind head: only heads
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Volume, volume } from "../lib/core/arrays.ts";
import { NpyAppender } from "../lib/data/npy.ts";
import { gaussian } from "../lib/image/gaussian.ts";
import { combine } from "../lib/image/pixels.ts";
import { storeSlices } from "../lib/native/ops.ts";
import { normalNoise } from "../lib/physics/noise.ts";
import { numbers } from "../lib/training/samples.ts";
import { head } from "./draw-head.ts";

/** A closed curve in mm around (x, y), half axes a and b, turned by `turn`, wavy by `wave` of its size, filled with HU. */
interface Shape {
  x: number;
  y: number;
  a: number;
  b: number;
  hu: number;
  turn?: number;
  wave?: number;
  /** HU of its texture's deviation. */
  texture?: number;
}

/** Draws shapes, one over the other, onto a slice of `size` pixels of `mm`. */
export class Slice {
  readonly data: Float32Array<ArrayBuffer>;
  readonly #size: number;
  readonly #mm: number;
  readonly #next: () => number;
  readonly #grain: Float32Array;

  constructor(size: number, mm: number, next: () => number, grain: Float32Array) {
    this.data = new Float32Array(size * size).fill(-1000);
    this.#size = size;
    this.#mm = mm;
    this.#next = next;
    this.#grain = grain;
  }

  between = (low: number, high: number): number => low + (high - low) * this.#next();
  chance = (p: number): boolean => this.#next() < p;

  fill({ x, y, a, b, hu, turn = 0, wave = 0.03, texture = 4 }: Shape): void {
    const harmonics = [2, 3, 4, 5].map(
      (k) => [k, (this.between(-1, 1) * wave) / (k - 1), this.between(0, 6.3)] as const,
    );
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    const reach = Math.max(a, b) * (1 + 2.5 * wave) + this.#mm;
    const middle = (this.#size - 1) / 2;
    const range = (centre: number) => [
      Math.max(0, Math.floor(middle + (centre - reach) / this.#mm)),
      Math.min(this.#size - 1, Math.ceil(middle + (centre + reach) / this.#mm)),
    ];
    const [r0, r1] = range(y) as [number, number];
    const [c0, c1] = range(x) as [number, number];
    for (let r = r0; r <= r1; r++)
      for (let c = c0; c <= c1; c++) {
        const [dx, dy] = [(c - middle) * this.#mm - x, (r - middle) * this.#mm - y];
        const [u, v] = [(dx * cos + dy * sin) / a, (dy * cos - dx * sin) / b];
        const rho = Math.hypot(u, v);
        if (rho > 1 + 2.5 * wave + this.#mm / Math.min(a, b)) continue;
        let edge = 1;
        if (wave > 0) {
          const phi = Math.atan2(v, u);
          for (const [k, size, phase] of harmonics) edge += size * Math.cos(k * phi + phase);
        }
        const cover = Math.min(1, Math.max(0, ((edge - rho) * Math.min(a, b)) / this.#mm + 0.5));
        const i = r * this.#size + c;
        this.data[i]! += cover * (hu + texture * this.#grain[i]! - this.data[i]!);
      }
  }

  /** Dense outside, spongy inside. */
  bone(shape: Shape, cortex: number): void {
    this.fill({ ...shape, texture: 30 });
    const [a, b] = [shape.a - cortex, shape.b - cortex];
    if (a > 0.5 && b > 0.5)
      this.fill({ ...shape, a, b, hu: this.between(60, 350), texture: this.between(20, 70), wave: 0 });
  }

  vertebra(x: number, y: number): void {
    const s = this.between(0.85, 1.2);
    const hu = this.between(500, 900);
    for (const side of [-1, 1])
      this.bone({ x: x + side * 26 * s, y: y + 20 * s, a: 15 * s, b: 5 * s, hu, turn: side * 0.3 }, 2);
    this.bone({ x, y: y + 38 * s, a: 4 * s, b: 15 * s, hu }, 1.5);
    this.bone({ x, y: y + 22 * s, a: 16 * s, b: 14 * s, hu }, 3);
    this.fill({ x, y: y + 20 * s, a: 10 * s, b: 8 * s, hu: 30 });
    this.bone({ x, y, a: 20 * s, b: 15 * s, hu: hu * 0.7 }, 1.2);
  }

  /** Skin, fat, muscle; gives the half axes of what is within. */
  trunk(a: number, b: number): [number, number] {
    const [fat, muscle] = [this.between(6, 32), this.between(6, 16)];
    this.fill({ x: 0, y: 0, a, b, hu: 10, wave: 0.02 });
    this.fill({ x: 0, y: 0, a: a - 2, b: b - 2, hu: -100, wave: 0.02, texture: 8 });
    this.fill({ x: 0, y: 2, a: a - fat, b: b - fat * 0.8, hu: 55, wave: 0.02, texture: 8 });
    return [a - fat - muscle, b - fat * 0.8 - muscle];
  }

  ribs(a: number, b: number): void {
    const count = 8 + Math.floor(this.between(0, 7));
    const first = this.between(0, 6.3);
    for (let i = 0; i < count; i++) {
      const at = first + ((i + this.between(-0.3, 0.3)) * 2 * Math.PI) / count;
      const [x, y] = [(a + 4) * Math.cos(at), 2 + (b + 4) * Math.sin(at)];
      if (Math.abs(x) < 25) continue;
      const turn = Math.atan2(b * Math.cos(at), -a * Math.sin(at)) + this.between(-0.2, 0.2);
      this.bone({ x, y, a: this.between(6, 20), b: this.between(3, 5), hu: this.between(500, 1100), turn }, 1.5);
    }
  }
}

function chest(s: Slice): void {
  const [a, b] = s.trunk(s.between(150, 195), s.between(100, 130));
  const blood = s.chance(0.5) ? 45 : s.between(120, 350);
  s.fill({ x: 0, y: 2, a, b, hu: -60, texture: 15 });
  for (const side of [-1, 1]) {
    const hu = s.between(-900, -780);
    const [x, y] = [side * a * 0.52, s.between(-5, 10)];
    const [la, lb] = [a * s.between(0.36, 0.45), b * s.between(0.75, 0.9)];
    s.fill({ x, y, a: la, b: lb, hu, texture: s.between(15, 60), wave: 0.08, turn: side * 0.15 });
    for (let i = 0; i < 90; i++) {
      const [r, phi] = [Math.sqrt(s.between(0, 0.8)), s.between(0, 6.3)];
      const [size, turn] = [0.6 + 3 * s.between(0, 1) ** 4 * (1.3 - r), s.between(0, 3.2)];
      const long = size * (1 + 5 * s.between(0, 1) ** 3);
      const at = { x: x + la * r * Math.cos(phi), y: y + lb * r * Math.sin(phi) };
      s.fill({ ...at, a: long, b: size, turn, hu: blood - 10, wave: 0 });
    }
  }
  s.fill({ x: s.between(5, 25), y: s.between(-25, 5), a: s.between(35, 62), b: s.between(30, 48), hu: 40, wave: 0.08 });
  for (let i = 0; i < 5; i++) {
    const at = { x: s.between(-30, 40), y: s.between(-40, 30) };
    s.fill({ ...at, a: s.between(8, 20), b: s.between(8, 18), hu: blood, turn: s.between(0, 3), wave: 0.05 });
  }
  s.fill({ x: s.between(-8, 8), y: s.between(0, 25), a: s.between(6, 10), b: s.between(6, 10), hu: -990, texture: 3 });
  s.fill({ x: s.between(15, 28), y: s.between(35, 50), a: 13, b: 13, hu: blood });
  s.ribs(a, b);
  s.vertebra(0, b * 0.62);
  s.bone({ x: 0, y: -b - 4, a: s.between(12, 25), b: s.between(4, 8), hu: 500 }, 1.5);
}

function belly(s: Slice): void {
  const [a, b] = s.trunk(s.between(140, 195), s.between(95, 135));
  const contrast = s.chance(0.5) ? 0 : s.between(40, 160);
  s.fill({ x: 0, y: 2, a, b, hu: -105, texture: 8 });
  for (let i = 0; i < 16; i++) {
    const [r, phi] = [Math.sqrt(s.between(0, 0.65)), s.between(3.2, 6.4)];
    const at = { x: a * r * Math.cos(phi), y: b * r * Math.sin(phi) + 15, turn: s.between(0, 3.1) };
    const [la, lb] = [s.between(9, 30), s.between(8, 15)];
    s.fill({ ...at, a: la, b: lb, hu: 45 + contrast / 3, wave: 0.12 });
    const inside = s.chance(0.25) ? -950 : s.chance(0.2) ? s.between(150, 500) : s.between(0, 35);
    s.fill({ ...at, a: la - 3, b: lb - 3, hu: inside, wave: 0.1, texture: 10 });
  }
  if (s.chance(0.7)) {
    const liver = { x: -a * 0.42, y: s.between(-20, 5), a: a * s.between(0.4, 0.55), b: b * s.between(0.5, 0.75) };
    s.fill({ ...liver, hu: s.between(45, 65) + contrast * 0.5, wave: 0.12, turn: s.between(-0.4, 0.4), texture: 6 });
    for (let i = 0; i < 14; i++) {
      const at = { x: liver.x + liver.a * s.between(-0.6, 0.6), y: liver.y + liver.b * s.between(-0.6, 0.6) };
      s.fill({
        ...at,
        a: s.between(1, 9),
        b: s.between(1, 3),
        turn: s.between(0, 3),
        hu: 45 + contrast * 0.9,
        wave: 0,
      });
    }
    s.fill({ x: a * 0.65, y: 20, a: s.between(18, 35), b: s.between(14, 28), hu: 50 + contrast * 0.6, wave: 0.1 });
  }
  for (const side of [-1, 1])
    if (s.chance(0.75)) {
      const kidney = { x: side * s.between(52, 70), y: s.between(30, 48), turn: side * s.between(0.3, 1), wave: 0.06 };
      s.fill({ ...kidney, a: s.between(22, 32), b: s.between(18, 25), hu: 35 + contrast });
      s.fill({ ...kidney, a: 11, b: 6, hu: s.chance(0.5) ? -80 : 10 });
    }
  const y = b * 0.5;
  for (const side of [-1, 1]) {
    s.fill({ x: side * 38, y: y + 6, a: 20, b: 15, hu: 55, wave: 0.08 });
    s.fill({ x: side * 10, y: y - 28, a: 10, b: 9, hu: 40 + contrast, wave: 0.04 });
    s.fill({ x: side * 45, y: y + 38, a: 32, b: 18, hu: 55, wave: 0.08, texture: 10 });
  }
  if (s.chance(0.6)) s.ribs(a, b);
  s.vertebra(0, y);
}

function thighs(s: Slice): void {
  const apart = s.between(75, 100);
  const isOne = s.chance(0.5);
  if (isOne) s.trunk(s.between(160, 195), s.between(95, 120));
  for (const side of [-1, 1]) {
    const [x, r] = [side * apart, s.between(68, 82)];
    if (!isOne) {
      s.fill({ x, y: 0, a: r, b: r * 1.05, hu: 10, wave: 0.03 });
      s.fill({ x, y: 0, a: r - 2, b: r * 1.05 - 2, hu: -105, wave: 0.03 });
    }
    for (let i = 0; i < 9; i++) {
      const phi = (i * 6.3) / 9 + s.between(-0.2, 0.2);
      const at = { x: x + r * 0.48 * Math.cos(phi), y: r * 0.5 * Math.sin(phi), turn: phi };
      s.fill({ ...at, a: s.between(16, 26), b: s.between(12, 20), hu: s.between(50, 65), wave: 0.1, texture: 8 });
    }
    const femur = s.between(13, 26);
    s.bone(
      { x, y: s.between(-8, 8), a: femur, b: femur * s.between(0.9, 1.2), hu: s.between(700, 1500) },
      s.between(1.5, 6),
    );
    if (isOne) {
      const pelvis = { x: side * s.between(30, 60), y: s.between(-20, 50), a: s.between(14, 40), b: s.between(6, 13) };
      s.bone({ ...pelvis, hu: s.between(500, 1000), turn: s.between(0, 3.1), wave: 0.08 }, 2);
    }
  }
  if (!isOne) return;
  s.fill({ x: 0, y: -10, a: s.between(25, 45), b: s.between(20, 35), hu: s.between(0, 15), wave: 0.05 });
  s.fill({ x: 0, y: 40, a: 18, b: 18, hu: 40, wave: 0.08 });
  if (s.chance(0.5)) s.fill({ x: 0, y: 40, a: 8, b: 10, hu: -900, wave: 0.1 });
}

const kinds = { chest, belly, thighs, head };
type Kind = keyof typeof kinds;

/** Slice `index` of a seed, HU; of this kind, or of any. */
export async function drawSlice(size: number, seed: number, index: number, only?: Kind): Promise<Volume> {
  const next = numbers(seed, index);
  const shape = [size, size];
  const noise = (stream: number) => normalNoise(shape, { seed, stream: 4 * index + stream, device: "cpu" });
  // white noise of one pixel's correlation has a deviation of 1/(2√π·sigma)
  const correlated = async (stream: number, sigma: number) =>
    combine([[2 * Math.sqrt(Math.PI) * sigma, await gaussian(await noise(stream), { sigma })]]);
  const grain = await correlated(0, 1 + 2 * next());
  const drawn = Math.floor(next() * 3.4 + 0.2) % 4;
  const kind = only ?? (Object.keys(kinds) as Kind[])[drawn]!;
  const field = kind === "head" ? 200 + 60 * next() : 340 + 120 * next();
  const slice = new Slice(size, field / size, next, grain.data);
  if (slice.chance(0.6)) {
    const y = 0.3 * field + slice.between(0, 30);
    slice.fill({ x: 0, y, a: 0.55 * field, b: 14, hu: -600, wave: 0 });
    slice.fill({ x: 0, y, a: 0.55 * field - 2, b: 12, hu: -960, wave: 0 });
  }
  kinds[kind](slice);
  const sharp = await gaussian(volume(slice.data, shape), { sigma: slice.between(0.35, 0.9) });
  const quantum = await correlated(1, slice.between(0.4, 0.8));
  return combine(
    [
      [1, sharp],
      [slice.between(3, 22), quantum],
    ],
    { low: -1024 },
  );
}

if (resolve(process.argv[1] ?? "") === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      count: { type: "string", short: "n", default: "200" },
      size: { type: "string", default: "416" },
      seed: { type: "string", default: "1" },
      kind: { type: "string" },
      output: { type: "string", short: "o", default: "drawn.npy" },
    },
  });
  const size = Number(values.size);
  const kind = values.kind as Kind | undefined;
  if (kind && !(kind in kinds)) throw new Error(`--kind is one of ${Object.keys(kinds).join(", ")}, not ${kind}.`);
  const file = await NpyAppender.open(values.output, "int16", [size, size]);
  for (let i = 0; i < Number(values.count); i++) {
    const { data } = await drawSlice(size, Number(values.seed), i, kind);
    const stored = await storeSlices(data, Float64Array.of(1), Float64Array.of(0), { signed: true, bitsStored: 16 });
    await file.append(stored.stored);
  }
  await file.close();
}
