/** Equalisation of one slice by its definition, pixel by pixel. */
export interface Equalization {
  tiles: readonly [number, number];
  bins: number;
  limit: number;
  window: readonly [number, number];
}

export function equalizeOracle(image: Float32Array, rows: number, columns: number, given: Equalization): Float64Array {
  const { tiles, bins, limit } = given;
  const [low, high] = given.window;
  const begin = (t: number, of: number, n: number) => Math.floor((t * n) / of);
  const place = (v: number) => Math.min(bins, Math.max(0, ((v - low) / (high - low)) * bins));
  const bin = (v: number) => Math.min(bins - 1, Math.floor(place(v)));
  const tables = Array.from({ length: tiles[0] * tiles[1] }, (_, tile) => {
    const ty = Math.floor(tile / tiles[1]);
    const tx = tile % tiles[1];
    const counts = new Array<number>(bins).fill(0);
    let all = 0;
    for (let y = begin(ty, tiles[0], rows); y < begin(ty + 1, tiles[0], rows); y++)
      for (let x = begin(tx, tiles[1], columns); x < begin(tx + 1, tiles[1], columns); x++) {
        counts[bin(image[y * columns + x]!)]!++;
        all++;
      }
    const most = limit > 0 ? (limit * all) / bins : all;
    const above = counts.reduce((sum, n) => sum + Math.max(0, n - most), 0);
    return counts.map((n) => (Math.min(n, most) + above / bins) / all);
  });
  const share = (tile: number, v: number) => {
    const b = bin(v);
    return tables[tile]!.slice(0, b).reduce((sum, n) => sum + n, 0) + tables[tile]![b]! * (place(v) - b);
  };
  /** Weights of tiles along one axis: a hat between centres, flat beyond the outermost. */
  const weights = (i: number, of: number, n: number) => {
    const centres = Array.from({ length: of }, (_, t) => (begin(t, of, n) + begin(t + 1, of, n) - 1) / 2);
    const inside = Math.min(Math.max(i, centres[0]!), centres.at(-1)!);
    return centres.map((c, t) => {
      const reach = inside < c ? c - centres[t - 1]! : centres[t + 1]! - c;
      return inside === c ? 1 : Math.max(0, 1 - Math.abs(inside - c) / reach);
    });
  };
  return Float64Array.from(image, (v, p) => {
    const down = weights(Math.floor(p / columns), tiles[0], rows);
    const across = weights(p % columns, tiles[1], columns);
    let sum = 0;
    down.forEach((wy, ty) => {
      across.forEach((wx, tx) => {
        if (wy * wx > 0) sum += wy * wx * share(ty * tiles[1] + tx, v);
      });
    });
    return low + (high - low) * sum;
  });
}
