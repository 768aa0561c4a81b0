/**
 * Drawn heads, for draw-anatomy.ts: the vault with brain and ventricles, the base with orbits, sinuses and air cells, the jaws with
 * teeth. Lengths in mm from the middle, y towards the back; HU as CT at 120 kVp shows them.
 */
import type { Slice } from "./draw-anatomy.ts";

const sides = [-1, 1] as const;

/** Skin, fat and muscle around half axes a and b. */
function scalp(s: Slice, a: number, b: number): void {
  const fat = s.between(2, 7);
  s.fill({ x: 0, y: 0, a: a + fat + 2.5, b: b + fat + 2.5, hu: 35, wave: 0.015 });
  s.fill({ x: 0, y: 0, a: a + fat, b: b + fat, hu: -85, wave: 0.015, texture: 10 });
  for (const side of sides)
    if (a > 55 && s.chance(0.8))
      s.fill({
        x: side * (a + 1),
        y: s.between(-40, -10),
        a: s.between(4, 9),
        b: s.between(22, 36),
        hu: 55,
        wave: 0.06,
      });
}

/** Two tables of dense bone, diploe between them, and what is within; gives its half axes. */
function skull(s: Slice, a: number, b: number): [number, number] {
  const [outer, diploe, inner] = [s.between(1.2, 2.6), s.between(0, 5), s.between(1, 2)];
  const within = outer + diploe + inner;
  const wave = s.between(0.005, 0.012);
  s.fill({ x: 0, y: 0, a, b, hu: s.between(1100, 1800), wave: 0, texture: 40 });
  if (diploe > 1)
    s.fill({
      x: s.between(-0.5, 0.5),
      y: s.between(-1.5, 0.5),
      a: a - outer,
      b: b - outer,
      hu: s.between(250, 900),
      texture: s.between(60, 160),
      wave,
    });
  s.fill({ x: 0, y: 0, a: a - outer - diploe, b: b - outer - diploe, hu: s.between(1000, 1600), wave, texture: 40 });
  s.fill({ x: 0, y: 0, a: a - within, b: b - within, hu: s.between(6, 18), wave });
  return [a - within, b - within];
}

/** Grey matter over white, furrows of water between folds. */
function brain(s: Slice, a: number, b: number): void {
  const shrunk = s.between(0.5, 4);
  const [ba, bb] = [a - shrunk, b - shrunk];
  s.fill({ x: 0, y: 0, a: ba, b: bb, hu: s.between(35, 41), wave: 0.008, texture: 3 });
  for (const side of sides)
    s.fill({ x: side * ba * 0.42, y: 0, a: ba * 0.4, b: bb * 0.8, hu: s.between(26, 31), wave: 0.12, texture: 2 });
  for (let i = 0; i < 46; i++) {
    const phi = (i * 6.283) / 46 + s.between(-0.06, 0.06);
    const depth = s.between(3, 11);
    const at = {
      x: (ba - depth) * Math.cos(phi),
      y: (bb - depth) * Math.sin(phi),
      turn: phi + s.between(-0.3, 0.3),
      wave: 0,
    };
    s.fill({ ...at, a: depth - 0.5, b: s.between(2.5, 4), hu: 38 });
    s.fill({ ...at, a: depth - 0.5, b: s.between(0.3, 0.4 + shrunk * 0.4), hu: 10 });
  }
  s.fill({
    x: 0,
    y: -bb * 0.62,
    a: s.between(0.5, 1.2),
    b: bb * 0.36,
    hu: s.between(40, s.chance(0.2) ? 300 : 70),
    wave: 0,
  });
  s.fill({ x: 0, y: bb * 0.72, a: s.between(0.5, 1.2), b: bb * 0.28, hu: s.between(45, 75), wave: 0 });
  s.fill({ x: 0, y: bb + 1, a: s.between(2, 5), b: s.between(2, 4), hu: s.between(50, 70) });
}

function vault(s: Slice, a: number, b: number): void {
  brain(s, a, b);
  if (a < 50 || s.chance(0.25)) return;
  const wide = s.between(0.6, 1.7);
  for (const side of sides) {
    s.fill({ x: side * 22, y: -4, a: 9, b: 17, hu: 37, turn: side * -0.35, wave: 0.06 });
    s.fill({ x: side * 9, y: 6, a: 8, b: 11, hu: 36, turn: side * -0.3 });
    s.fill({ x: side * 9 * wide, y: -24, a: 3.5 * wide, b: 12, hu: 8, turn: side * -0.35, wave: 0.08 });
    if (s.chance(0.6))
      s.fill({ x: side * (20 + 4 * wide), y: 32, a: 4 * wide, b: 16, hu: 8, turn: side * 0.25, wave: 0.08 });
    if (s.chance(0.35))
      s.fill({ x: side * 21, y: 30, a: s.between(1, 3.5), b: s.between(1, 5), hu: s.between(90, 400) });
  }
  s.fill({ x: 0, y: 0, a: s.between(1, 3.5), b: 11, hu: 8 });
  if (s.chance(0.4)) s.fill({ x: 0, y: 16, a: s.between(1, 3), b: s.between(1, 3), hu: s.between(120, 500) });
}

/** Bone full of air cells: mastoids, ethmoids. */
function cells(
  s: Slice,
  { x, y, a, b }: { x: number; y: number; a: number; b: number },
  count: number,
  hu: number,
): void {
  s.fill({ x, y, a, b, hu, wave: 0.06, texture: 80 });
  for (let i = 0; i < count; i++) {
    const [r, phi] = [Math.sqrt(s.between(0, 0.85)), s.between(0, 6.283)];
    const at = { x: x + a * r * Math.cos(phi), y: y + b * r * Math.sin(phi), turn: s.between(0, 3.1) };
    s.fill({ ...at, a: s.between(0.8, 3.5), b: s.between(0.6, 2.2), hu: s.chance(0.85) ? -960 : 20, wave: 0.1 });
  }
}

/** Air or fluid within a thin wall. */
function sinus(s: Slice, x: number, y: number, a: number, b: number): void {
  s.fill({ x, y, a: a + s.between(0.6, 1.6), b: b + s.between(0.6, 1.6), hu: s.between(350, 900), wave: 0.08 });
  s.fill({ x, y, a, b, hu: s.chance(0.85) ? -990 : 15, wave: 0.08, texture: 2 });
}

function base(s: Slice, a: number, b: number): void {
  s.fill({ x: 0, y: b * 0.45, a: a * 0.72, b: b * 0.45, hu: 36, wave: 0.04, texture: 3 });
  s.fill({ x: 0, y: b * 0.14, a: s.between(10, 16), b: s.between(9, 14), hu: 31, wave: 0.04 });
  s.fill({ x: 0, y: b * 0.3, a: s.between(3, 8), b: s.between(2, 5), hu: 8 });
  for (const side of sides) {
    s.fill({ x: side * a * 0.55, y: -b * 0.12, a: a * 0.34, b: b * 0.26, hu: 36, wave: 0.06, texture: 3 });
    const hu = s.between(900, 1700);
    s.bone(
      { x: side * a * 0.52, y: b * 0.2, a: a * 0.4, b: s.between(7, 12), hu, turn: side * -0.55, wave: 0.08 },
      2.5,
    );
    s.fill({ x: side * a * 0.4, y: b * 0.12, a: s.between(3, 6), b: s.between(2, 4), hu: hu + 250, wave: 0.12 });
    s.fill({ x: side * a * 0.5, y: b * 0.17, a: 4, b: 1.8, hu: s.chance(0.6) ? -900 : 15, turn: side * -0.4 });
    cells(s, { x: side * a * 0.85, y: b * 0.36, a: s.between(9, 15), b: s.between(12, 20) }, 40, s.between(500, 900));
    if (s.chance(0.7)) s.fill({ x: side * a * 0.93, y: b * 0.14, a: 9, b: 2.5, hu: -980, wave: 0.05 });
    // orbit: fat, eye, lens, nerve, muscles
    const [x, y] = [side * s.between(30, 34), -b * s.between(0.66, 0.74)];
    s.bone({ x, y: y + 6, a: 22, b: 25, hu: s.between(700, 1200), turn: side * 0.35, wave: 0.05 }, 1.5);
    s.fill({ x, y: y + 4, a: 19, b: 22, hu: -85, turn: side * 0.35, wave: 0.05, texture: 8 });
    s.fill({ x: x - side * 4, y: y + 12, a: 1.8, b: 14, hu: 35, turn: side * 0.4 });
    for (const edge of sides) s.fill({ x: x + edge * 13, y: y + 8, a: 2, b: 14, hu: 50, turn: side * 0.3 });
    const r = s.between(10.5, 12.5);
    s.fill({ x, y: y - 8, a: r, b: r, hu: 60, wave: 0.02 });
    s.fill({ x, y: y - 8, a: r - 1.3, b: r - 1.3, hu: 12, wave: 0.01 });
    s.fill({ x, y: y - 15, a: 4.5, b: 2, hu: 75 });
  }
  for (let i = -2; i <= 2; i++)
    for (const side of sides) sinus(s, side * s.between(4, 7), -b * 0.62 + i * 9, s.between(2.5, 5), s.between(3, 4.2));
  for (const side of sides) sinus(s, side * s.between(6, 10), -b * 0.22, s.between(5, 10), s.between(6, 11));
  s.bone({ x: 0, y: -b * 0.02, a: s.between(9, 16), b: s.between(5, 9), hu: s.between(600, 1100) }, 1.5);
}

function jaws(s: Slice, a: number, b: number): void {
  s.fill({ x: 0, y: 0, a: a + 6, b: b + 4, hu: 40, wave: 0.04 });
  s.fill({ x: 0, y: 0, a: a + 4, b: b + 2, hu: -90, wave: 0.04, texture: 12 });
  const neck = b * 0.25;
  for (let i = 0; i < 10; i++) {
    const at = { x: s.between(-0.6, 0.6) * a, y: neck + s.between(0, 0.6) * b, turn: s.between(0, 3.1), wave: 0.1 };
    s.fill({ ...at, a: s.between(10, 22), b: s.between(6, 13), hu: s.between(50, 65), texture: 8 });
  }
  s.fill({ x: 0, y: -b * 0.35, a: a * 0.55, b: b * 0.5, hu: 55, wave: 0.06, texture: 6 });
  for (const side of sides) {
    s.fill({ x: side * a * 0.82, y: -b * 0.05, a: a * 0.14, b: b * 0.24, hu: 58, turn: side * 0.15, wave: 0.08 });
    s.fill({
      x: side * a * 0.82,
      y: b * 0.25,
      a: a * 0.14,
      b: b * 0.16,
      hu: s.between(-40, 30),
      wave: 0.1,
      texture: 15,
    });
    s.bone(
      {
        x: side * a * 0.66,
        y: b * 0.02,
        a: s.between(3.5, 6),
        b: s.between(14, 20),
        hu: s.between(1000, 1600),
        turn: side * 0.2,
      },
      1.8,
    );
    for (let i = 0; i < 3; i++) {
      const at = { x: side * s.between(22, 38), y: neck + s.between(-4, 14) };
      s.fill({ ...at, a: s.between(2, 4.5), b: s.between(2, 4.5), hu: s.chance(0.5) ? 45 : s.between(150, 350) });
    }
  }
  // the arch: bone, then teeth of dentine under enamel, each with its pulp
  const [wide, deep] = [s.between(23, 30), s.between(42, 54)];
  const front = -b * s.between(0.72, 0.86);
  const [count, roots] = [14, s.chance(0.5)];
  for (let i = 0; i <= 28; i++) {
    const t = i / 14 - 1;
    const at = { x: wide * Math.sin(t * 1.57) * (1 + 0.25 * Math.abs(t)), y: front + deep * (1 - Math.cos(t * 1.57)) };
    s.fill({ ...at, a: s.between(6, 7.5), b: s.between(5, 6.5), hu: roots ? 1300 : 55, wave: 0.05, texture: 60 });
    if (roots) s.fill({ ...at, a: 4.6, b: 4.2, hu: s.between(300, 600), texture: 80 });
  }
  for (let i = 0; i < count; i++) {
    if (s.chance(0.1)) continue;
    const t = (2 * (i + 0.5)) / count - 1;
    const at = {
      x: wide * Math.sin(t * 1.57) * (1 + 0.25 * Math.abs(t)),
      y: front + deep * (1 - Math.cos(t * 1.57)),
      turn: t * 1.4,
    };
    const [ta, tb] = [s.between(2.4, 3) + 2.2 * Math.abs(t), s.between(3, 3.6) + 1.6 * Math.abs(t)];
    const crown = !roots && s.chance(0.85);
    if (crown) s.fill({ ...at, a: ta + 1, b: tb + 1, hu: s.between(1900, 2400), wave: 0.04 });
    s.fill({ ...at, a: ta, b: tb, hu: s.between(1300, 1700), wave: 0.04 });
    s.fill({ ...at, a: s.between(0.5, 1), b: s.between(0.6, 1.4), hu: 100 });
  }
  if (s.chance(0.6))
    s.fill({
      x: s.between(-8, 8),
      y: front + deep * 0.5,
      a: s.between(8, 20),
      b: s.between(2, 10),
      hu: -980,
      wave: 0.12,
    });
  s.fill({
    x: s.between(-3, 3),
    y: -b * 0.02,
    a: s.between(8, 16),
    b: s.between(4, 8),
    hu: -990,
    wave: 0.1,
    texture: 2,
  });
  s.vertebra(0, neck + 6);
}

/** One slice of a head: vault, base or jaws. */
export function head(s: Slice): void {
  const level = s.between(0, 1);
  const small = level < 0.1 ? s.between(0.35, 0.8) : 1; // towards the vertex
  const [a, b] = [s.between(64, 80) * small, s.between(84, 101) * small];
  if (level > 0.8) {
    jaws(s, a * s.between(0.85, 1), b * s.between(0.85, 1));
    return;
  }
  scalp(s, a, b);
  const [ia, ib] = skull(s, a, b);
  if (level < 0.5) vault(s, ia, ib);
  else base(s, ia, ib);
}
