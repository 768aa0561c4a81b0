/**
 * Rays of the mismatch suite: in every bin several, spread over the bin, the focal spot and the turn during a view by a rank-1 lattice;
 * and the exact lengths (Siddon 1985) of each in the cells of a fine grid.
 */

export interface FanGeometry {
  sod: number;
  sdd: number;
  bins: number;
  binMm: number;
  views: number;
  /** degrees */
  firstView: number;
  viewStep: number;
}

export interface Sampling {
  perBin: number;
  focalSpotMm: number;
  /** Share of the step between views during which a view is taken. */
  viewShare: number;
}

/** One source position with its detector; distances in mm. */
class Pose {
  readonly x: number;
  readonly y: number;
  readonly #c: number;
  readonly #s: number;
  readonly #focal: number;
  readonly #shift: number;
  readonly #fan: FanGeometry;

  constructor(fan: FanGeometry, degrees: number, focal: number, shift: number) {
    const theta = (degrees * Math.PI) / 180;
    this.#fan = fan;
    this.#c = Math.cos(theta);
    this.#s = Math.sin(theta);
    this.#focal = focal;
    this.#shift = shift;
    this.x = focal * this.#c + fan.sod * this.#s;
    this.y = focal * this.#s - fan.sod * this.#c;
  }

  /** Unit vector from the source to the ray of a bin. */
  towards(bin: number): { dx: number; dy: number } {
    const { sdd, bins, binMm } = this.#fan;
    const u = (bin + this.#shift - (bins - 1) / 2) * binMm - this.#focal;
    const length = Math.hypot(u, sdd);
    return { dx: (u * this.#c - sdd * this.#s) / length, dy: (u * this.#s + sdd * this.#c) / length };
  }

  /** The bin whose ray goes through a point, as a real number. */
  binOf(x: number, y: number): number {
    const { sdd, bins, binMm } = this.#fan;
    const [px, py] = [x - this.x, y - this.y];
    const u = ((px * this.#c + py * this.#s) * sdd) / (-px * this.#s + py * this.#c) + this.#focal;
    return u / binMm + (bins - 1) / 2 - this.#shift;
  }
}

export class Rays {
  readonly views: number;
  readonly bins: number;
  readonly perBin: number;
  readonly #fan: FanGeometry;
  readonly #sampling: Sampling;

  constructor(fan: FanGeometry, sampling: Sampling) {
    this.views = fan.views;
    this.bins = fan.bins;
    this.perBin = sampling.perBin;
    this.#fan = fan;
    this.#sampling = sampling;
  }

  pose(view: number, sub: number): Pose {
    const { perBin, focalSpotMm, viewShare } = this.#sampling;
    const lattice = (step: number) => ((sub * step) % perBin) / perBin + 0.5 / perBin - 0.5;
    const degrees = this.#fan.firstView + (view + viewShare * lattice(3)) * this.#fan.viewStep;
    return new Pose(this.#fan, degrees, focalSpotMm * lattice(2), lattice(1));
  }
}

/** Two maps with a border of empty cells, interleaved, rows and columns as they are or swapped. */
interface Grid {
  cells: Float32Array;
  stride: number;
  /** First and last line that hold something. */
  first: number;
  last: number;
}

function gridOf(maps: Float32Array, side: number, isSwapped: boolean): Grid {
  const stride = side + 2;
  const cells = new Float32Array(2 * stride * stride);
  let [first, last] = [side, 0];
  for (let r = 0; r < side; r++)
    for (let c = 0; c < side; c++) {
      const from = 2 * (r * side + c);
      const [line, across] = isSwapped ? [c, r] : [r, c];
      const to = 2 * ((line + 1) * stride + across + 1);
      cells[to] = maps[from]!;
      cells[to + 1] = maps[from + 1]!;
      if (maps[from] === 0 && maps[from + 1] === 0) continue;
      first = Math.min(first, line);
      last = Math.max(last, line);
    }
  return { cells, stride, first: first + 1, last: last + 1 };
}

/** Line integrals of two maps of side × side cells, interleaved; [view, bin, ray, map], in the maps' unit times mm. */
export function lineIntegrals(maps: Float32Array, side: number, cellMm: number, rays: Rays): Float32Array {
  const { views, bins, perBin } = rays;
  const sums = new Float32Array(views * bins * perBin * 2);
  const [upright, lying] = [gridOf(maps, side, false), gridOf(maps, side, true)];
  const middle = side / 2 + 1; // of the grid with its border
  for (let view = 0; view < views; view++)
    for (let sub = 0; sub < perBin; sub++) {
      const pose = rays.pose(view, sub);
      const [sx, sy] = [middle + pose.x / cellMm, middle - pose.y / cellMm];
      for (let bin = 0; bin < bins; bin++) {
        const { dx, dy } = pose.towards(bin);
        const at = ((view * bins + bin) * perBin + sub) * 2;
        if (Math.abs(dy) >= Math.abs(dx)) walk(upright, sx, sy, dx / -dy, cellMm, sums, at);
        else walk(lying, sy, sx, -dy / dx, cellMm, sums, at);
      }
    }
  return sums;
}

/** Exact lengths line by line: a ray that moves by `slope`, less than a cell, along a line meets one cell of it or two. */
function walk(
  { cells, stride, first, last }: Grid,
  sx: number,
  sy: number,
  slope: number,
  cellMm: number,
  sums: Float32Array,
  at: number,
): void {
  const step = Math.abs(slope);
  const perStep = step > 0 ? 1 / step : 0;
  let [from, to] = [first, last];
  // Only lines where both ends lie in the grid, its border included.
  const [ta, tb] =
    slope > 0 ? [(0 - sx) / slope, (stride - 1 - sx) / slope] : [(stride - 1 - sx) / slope, (0 - sx) / slope];
  if (step > 0) {
    from = Math.max(from, Math.ceil(sy + ta));
    to = Math.min(to, Math.floor(sy + tb) - 1);
  } else if (sx < 0 || sx >= stride - 1) return;
  let soft = 0;
  let bone = 0;
  let left = sx + (from - sy) * slope + Math.min(0, slope);
  let line = from * stride;
  for (let i = from; i <= to; i++) {
    const c = left | 0;
    const cell = 2 * (line + c);
    const beyond = left + step - c - 1;
    if (beyond <= 0) {
      soft += cells[cell]!;
      bone += cells[cell + 1]!;
    } else {
      const share = beyond * perStep;
      soft += (1 - share) * cells[cell]! + share * cells[cell + 2]!;
      bone += (1 - share) * cells[cell + 1]! + share * cells[cell + 3]!;
    }
    left += slope;
    line += stride;
  }
  const lengthMm = Math.sqrt(1 + slope * slope) * cellMm;
  sums[at] = soft * lengthMm;
  sums[at + 1] = bone * lengthMm;
}
