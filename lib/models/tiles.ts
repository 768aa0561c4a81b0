/**
 * Images in tiles: each is seen with a margin around it, of which nothing is kept, so that with a margin as wide as the
 * network looks the result has no seams. Beyond the edges images are mirrored. Only whole rows are copied here.
 */

/** A tile: where its first row and column lie in the image, margin included, and which part of the image it gives. */
export interface Tile {
  readonly row: number;
  readonly column: number;
  readonly fromRow: number;
  readonly fromColumn: number;
  readonly rows: number;
  readonly columns: number;
}

export interface Tiling {
  /** Of every tile, margin included. */
  readonly size: readonly [number, number];
  readonly tiles: readonly Tile[];
}

const up = (n: number, grain: number) => Math.ceil(n / grain) * grain;

/** Starts along one axis: tiles of `size`, each of which gives all but its margins. */
function starts(n: number, size: number, margin: number): { first: number; from: number; length: number }[] {
  if (size >= n) return [{ first: 0, from: 0, length: n }];
  const step = size - 2 * margin;
  return Array.from({ length: Math.ceil(n / step) }, (_, i) => ({
    first: i * step - margin,
    from: i * step,
    length: Math.min(step, n - i * step),
  }));
}

/** Cuts an image into tiles whose sides are multiples of `grain`; one tile where the image is no larger. */
export function tilingOf(
  [rows, columns]: readonly [number, number],
  { tile, margin, grain }: { tile: number; margin: number; grain: number },
): Tiling {
  const side = (n: number) => (n <= tile ? up(n, grain) : up(Math.max(tile, 2 * margin + grain), grain));
  const size: [number, number] = [side(rows), side(columns)];
  const tiles = starts(rows, size[0], margin).flatMap((r) =>
    starts(columns, size[1], margin).map((c) => ({
      row: r.first,
      column: c.first,
      fromRow: r.from,
      fromColumn: c.from,
      rows: r.length,
      columns: c.length,
    })),
  );
  return { size, tiles };
}

/** The index that a mirror at both ends shows. */
function mirrored(i: number, n: number): number {
  const period = Math.max(2 * (n - 1), 1);
  const j = ((i % period) + period) % period;
  return j < n ? j : period - j;
}

/** Copies what a tile sees of an image to `to`, mirrored beyond the edges. */
export function copyIn(
  image: Float32Array,
  [rows, columns]: readonly [number, number],
  { row, column }: Tile,
  size: readonly [number, number],
  to: Float32Array,
): void {
  const [height, width] = size;
  for (let r = 0; r < height; r++) {
    const from = mirrored(row + r, rows) * columns;
    const line = to.subarray(r * width, (r + 1) * width);
    const first = Math.max(0, column);
    const end = Math.min(columns, column + width);
    line.set(image.subarray(from + first, from + end), first - column);
    // the few columns beyond the edges
    for (let c = column; c < 0; c++) line[c - column] = image[from + mirrored(c, columns)]!;
    for (let c = end; c < column + width; c++) line[c - column] = image[from + mirrored(c, columns)]!;
  }
}

/** Copies the part that a tile gives into the result. */
export function copyOut(
  from: Float32Array,
  tile: Tile,
  [, width]: readonly [number, number],
  image: Float32Array,
  columns: number,
): void {
  const { row, column, fromRow, fromColumn } = tile;
  for (let r = 0; r < tile.rows; r++) {
    const at = (fromRow - row + r) * width + fromColumn - column;
    image.set(from.subarray(at, at + tile.columns), (fromRow + r) * columns + fromColumn);
  }
}
