/** How far two results are apart, before anyone's time is taken. */

export interface Agreement {
  /** ‖a − b‖ / ‖b‖ over the region. */
  relativeL2: number;
  /** The factor s that makes s·a nearest to b: 1 where both mean the same scale. */
  scale: number;
}

/** "all", or only the pixels inside 0.95 of the inscribed circle: some packages leave the rest empty. */
export type Region = "all" | "disc";

/** Compares `a` with `b`, both of `shape`, whose last two axes are rows and columns. */
export function agreement(a: Float32Array, b: Float32Array, shape: readonly number[], region: Region): Agreement {
  if (a.length !== b.length) throw new Error(`Results of ${a.length} and ${b.length} elements cannot be compared.`);
  const [rows, columns] = shape.slice(-2) as [number, number];
  let difference = 0;
  let cross = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    if (region === "disc") {
      const y = (Math.floor(i / columns) % rows) - (rows - 1) / 2;
      const x = (i % columns) - (columns - 1) / 2;
      if (Math.hypot(x, y) > (0.95 * Math.min(rows, columns)) / 2) continue;
    }
    difference += (a[i]! - b[i]!) ** 2;
    cross += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return { relativeL2: Math.sqrt(difference / bb), scale: cross / aa };
}
