/** Metal of the mismatch suite: outlines as polygons, placed to a fraction of a pixel, and the exact lengths of rays inside them. */
import type { Rays } from "./rays.ts";

export interface Point {
  x: number;
  y: number;
}
/** Counter-clockwise, mm. */
export type Polygon = readonly Point[];

export type Random = () => number;

/** Points of a closed curve given by angle, scaled to `area`, turned by `turn`. */
function closed(count: number, at: (phi: number) => Point, area: number, turn: number): Polygon {
  const points = Array.from({ length: count }, (_, i) => at((2 * Math.PI * i) / count));
  const scale = Math.sqrt(area / areaOf(points));
  const [c, s] = [scale * Math.cos(turn), scale * Math.sin(turn)];
  return points.map(({ x, y }) => ({ x: c * x - s * y, y: s * x + c * y }));
}

export function areaOf(points: Polygon): number {
  let twice = 0;
  for (const [i, a] of points.entries()) {
    const b = points[(i + 1) % points.length]!;
    twice += a.x * b.y - b.x * a.y;
  }
  return twice / 2;
}

/** A rod, a screw or plate (superellipse), or something irregular. */
export function outline(area: number, random: Random): Polygon {
  const kind = random();
  const turn = random() * 2 * Math.PI;
  if (kind < 0.3) {
    const ratio = 1 + random() * 0.5;
    return closed(120, (phi) => ({ x: ratio * Math.cos(phi), y: Math.sin(phi) }), area, turn);
  }
  if (kind < 0.6) {
    const ratio = 2.5 + random() * 3.5;
    const power = (value: number) => Math.sign(value) * Math.abs(value) ** 0.4;
    return closed(160, (phi) => ({ x: ratio * power(Math.cos(phi)), y: power(Math.sin(phi)) }), area, turn);
  }
  const waves = [2, 3, 4, 5, 7].map((k) => ({ k, size: (0.9 / k ** 1.4) * random(), phase: random() * 2 * Math.PI }));
  const radius = (phi: number) =>
    Math.max(0.25, 1 + waves.reduce((sum, w) => sum + w.size * Math.cos(w.k * phi + w.phase), 0));
  return closed(240, (phi) => ({ x: radius(phi) * Math.cos(phi), y: radius(phi) * Math.sin(phi) }), area, turn);
}

export const moved = (points: Polygon, by: Point): Polygon => points.map(({ x, y }) => ({ x: x + by.x, y: y + by.y }));

/** Share of every cell that lies inside the polygons, from 4 lines of exact length per cell; rows run downwards. */
export function coverage(polygons: readonly Polygon[], side: number, cellMm: number): Float32Array {
  const lines = 4;
  const covered = new Float32Array(side * side);
  const half = (side * cellMm) / 2;
  for (const points of polygons)
    for (let line = 0; line < side * lines; line++) {
      const y = half - ((line + 0.5) * cellMm) / lines;
      const crossings: number[] = [];
      for (const [i, a] of points.entries()) {
        const b = points[(i + 1) % points.length]!;
        if (a.y > y !== b.y > y) crossings.push((a.x + ((y - a.y) * (b.x - a.x)) / (b.y - a.y) + half) / cellMm);
      }
      crossings.sort((a, b) => a - b);
      const row = Math.floor(line / lines) * side;
      for (let i = 0; i + 1 < crossings.length; i += 2) cover(covered, row, side, crossings[i]!, crossings[i + 1]!);
    }
  return covered.map((value) => Math.min(1, value / lines));
}

function cover(covered: Float32Array, row: number, side: number, from: number, to: number): void {
  for (let c = Math.max(0, Math.floor(from)); c < Math.min(side, Math.ceil(to)); c++)
    covered[row + c]! += Math.min(to, c + 1) - Math.max(from, c);
}

/**
 * Lengths of all rays inside the polygons, mm: the distances from the source to every crossing of an edge, added where the ray leaves and
 * subtracted where it enters.
 */
export function chords(polygons: readonly Polygon[], rays: Rays): Float32Array {
  const { views, bins, perBin } = rays;
  const lengths = new Float32Array(views * bins * perBin);
  for (let view = 0; view < views; view++)
    for (let sub = 0; sub < perBin; sub++) {
      const pose = rays.pose(view, sub);
      for (const points of polygons)
        for (const [i, a] of points.entries())
          addEdge(a, points[(i + 1) % points.length]!, pose, rays, view, sub, lengths);
    }
  return lengths;
}

function addEdge(
  a: Point,
  b: Point,
  pose: ReturnType<Rays["pose"]>,
  { bins, perBin }: Rays,
  view: number,
  sub: number,
  lengths: Float32Array,
): void {
  const [ka, kb] = [pose.binOf(a.x, a.y), pose.binOf(b.x, b.y)];
  const sign = kb > ka ? -1 : 1;
  const [low, high] = kb > ka ? [ka, kb] : [kb, ka];
  for (let bin = Math.max(0, Math.ceil(low)); bin < Math.min(bins, high); bin++) {
    const { dx, dy } = pose.towards(bin);
    const [ex, ey] = [b.x - a.x, b.y - a.y];
    const across = dx * ey - dy * ex;
    if (Math.abs(across) < 1e-12) continue;
    const along = ((a.x - pose.x) * ey - (a.y - pose.y) * ex) / across;
    lengths[(view * bins + bin) * perBin + sub]! += sign * along;
  }
}
