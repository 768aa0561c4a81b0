/** Phantoms whose line integrals are known in closed form: ellipses (modified Shepp-Logan) and smooth Gaussians. */
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { lineOf, pixelCentre } from "./rays.ts";

export interface Phantom {
  /** Value averaged over a pixel of this size around (x, y), all in mm. */
  pixel(x: number, y: number, dx: number, dy: number): number;
  integral(px: number, py: number, vx: number, vy: number): number;
}

interface Ellipse {
  value: number;
  a: number;
  b: number;
  x: number;
  y: number;
  deg: number;
}

/** The modified Shepp-Logan phantom (Toft 1996) with its unit circle scaled to `radiusMm`. */
export function sheppLogan(radiusMm: number): Phantom {
  const rows = [
    [1, 0.69, 0.92, 0, 0, 0],
    [-0.8, 0.6624, 0.874, 0, -0.0184, 0],
    [-0.2, 0.11, 0.31, 0.22, 0, -18],
    [-0.2, 0.16, 0.41, -0.22, 0, 18],
    [0.1, 0.21, 0.25, 0, 0.35, 0],
    [0.1, 0.046, 0.046, 0, 0.1, 0],
    [0.1, 0.046, 0.046, 0, -0.1, 0],
    [0.1, 0.046, 0.023, -0.08, -0.605, 0],
    [0.1, 0.023, 0.023, 0, -0.606, 0],
    [0.1, 0.023, 0.046, 0.06, -0.605, 0],
  ] as const;
  return ellipses(
    rows.map(([value, a, b, x, y, deg]) => ({
      value,
      a: a * radiusMm,
      b: b * radiusMm,
      x: x * radiusMm,
      y: y * radiusMm,
      deg,
    })),
  );
}

export function ellipses(list: readonly Ellipse[], supersampling = 8): Phantom {
  const turned = list.map((e) => ({
    ...e,
    c: Math.cos((e.deg * Math.PI) / 180),
    s: Math.sin((e.deg * Math.PI) / 180),
  }));
  const inside = (x: number, y: number) => {
    let value = 0;
    for (const e of turned) {
      const p = ((x - e.x) * e.c + (y - e.y) * e.s) / e.a;
      const q = (-(x - e.x) * e.s + (y - e.y) * e.c) / e.b;
      if (p * p + q * q <= 1) value += e.value;
    }
    return value;
  };
  return {
    pixel(x, y, dx, dy) {
      let sum = 0;
      for (let i = 0; i < supersampling; i++)
        for (let j = 0; j < supersampling; j++)
          sum += inside(x + ((j + 0.5) / supersampling - 0.5) * dx, y + ((i + 0.5) / supersampling - 0.5) * dy);
      return sum / supersampling ** 2;
    },
    integral(px, py, vx, vy) {
      let sum = 0;
      for (const e of turned) {
        const ox = ((px - e.x) * e.c + (py - e.y) * e.s) / e.a;
        const oy = (-(px - e.x) * e.s + (py - e.y) * e.c) / e.b;
        const wx = (vx * e.c + vy * e.s) / e.a;
        const wy = (-vx * e.s + vy * e.c) / e.b;
        const a = wx * wx + wy * wy;
        const b = ox * wx + oy * wy;
        const d = b * b - a * (ox * ox + oy * oy - 1);
        if (d > 0) sum += (e.value * 2 * Math.sqrt(d)) / a;
      }
      return sum;
    },
  };
}

interface Gaussian {
  value: number;
  sigma: number;
  x: number;
  y: number;
}

/** erf to 1e-15 or so: series near zero, continued fraction further out. */
function erf(x: number): number {
  const a = Math.abs(x);
  let result: number;
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 80; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    result = (2 / Math.sqrt(Math.PI)) * sum;
  } else {
    let f = 0;
    for (let n = 60; n > 0; n--) f = n / 2 / (a + f);
    result = 1 - Math.exp(-a * a) / ((a + f) * Math.sqrt(Math.PI));
  }
  return x < 0 ? -result : result;
}

/** Six Gaussians of sigma 0.05–0.14 of the radius: smooth enough that discretisation errors of a method show, not edges. */
export function smooth(radiusMm: number): Phantom {
  const list: Gaussian[] = [
    [1, 0.14, 0, 0],
    [0.6, 0.07, 0.35, 0.2],
    [-0.5, 0.06, -0.3, 0.25],
    [0.8, 0.053, -0.2, -0.4],
    [0.4, 0.047, 0.3, -0.35],
    [-0.3, 0.095, 0.1, 0.45],
  ].map(([value, sigma, x, y]) => ({ value: value!, sigma: sigma! * radiusMm, x: x! * radiusMm, y: y! * radiusMm }));
  const along = (d: number, half: number, sigma: number) =>
    ((erf((d + half) / (Math.SQRT2 * sigma)) - erf((d - half) / (Math.SQRT2 * sigma))) *
      sigma *
      Math.sqrt(Math.PI / 2)) /
    (2 * half);
  return {
    pixel: (x, y, dx, dy) =>
      list.reduce((sum, g) => sum + g.value * along(x - g.x, dx / 2, g.sigma) * along(y - g.y, dy / 2, g.sigma), 0),
    integral: (px, py, vx, vy) =>
      list.reduce((sum, g) => {
        const d = (px - g.x) * vy - (py - g.y) * vx;
        return sum + g.value * g.sigma * Math.sqrt(2 * Math.PI) * Math.exp((-d * d) / (2 * g.sigma * g.sigma));
      }, 0),
  };
}

export function phantomImage(phantom: Phantom, geometry: Geometry): Float32Array {
  const [rows, columns] = geometry.image.shape;
  const [dy, dx] = geometry.image.pixelMm;
  const image = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) image[r * columns + c] = phantom.pixel(...pixelCentre(geometry, r, c), dx, dy);
  return image;
}

export function phantomSinogram(phantom: Phantom, geometry: Geometry): Float32Array {
  const { bins, angles } = geometry;
  const sinogram = new Float32Array(angles.length * bins);
  for (let v = 0; v < angles.length; v++)
    for (let k = 0; k < bins; k++) {
      const { px, py, vx, vy } = lineOf(geometry, v, k);
      sinogram[v * bins + k] = phantom.integral(px, py, vx, vy);
    }
  return sinogram;
}
