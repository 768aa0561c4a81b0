/**
 * Images and volumes in tiles: each is seen with a margin around it, of which nothing is kept, so that with a margin as wide as the
 * network looks the result has no seams. Beyond the edges images are mirrored. Only whole rows are copied here.
 */

/** A tile along every axis: where what it sees begins, margin included, and which part of the image it gives. */
export interface Tile {
  readonly first: readonly number[];
  readonly from: readonly number[];
  readonly lengths: readonly number[];
}

export interface Tiling {
  /** Of every tile, margin included. */
  readonly size: readonly number[];
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

/** Cuts an image of any number of axes into tiles whose sides are multiples of `grain`; one tile where the image is no larger. */
export function tilingOf(
  shape: readonly number[],
  { tile, margin, grain }: { tile: number; margin: number; grain: number },
): Tiling {
  const size = shape.map((n) => (n <= tile ? up(n, grain) : up(Math.max(tile, 2 * margin + grain), grain)));
  let tiles: Tile[] = [{ first: [], from: [], lengths: [] }];
  shape.forEach((n, axis) => {
    tiles = tiles.flatMap((t) =>
      starts(n, size[axis]!, margin).map(({ first, from, length }) => ({
        first: [...t.first, first],
        from: [...t.from, from],
        lengths: [...t.lengths, length],
      })),
    );
  });
  return { size, tiles };
}

/** The index that a mirror at both ends shows. */
export function mirrored(i: number, n: number): number {
  const period = Math.max(2 * (n - 1), 1);
  const j = ((i % period) + period) % period;
  return j < n ? j : period - j;
}

/** Calls `row` for every row of a box of `lengths`, with the index along each axis but the last. */
function eachRow(lengths: readonly number[], row: (index: readonly number[], count: number) => void): void {
  const index = new Array<number>(lengths.length - 1).fill(0);
  const rows = lengths.slice(0, -1).reduce((a, b) => a * b, 1);
  for (let k = 0; k < rows; k++) {
    row(index, k);
    for (let axis = index.length - 1; axis >= 0 && ++index[axis]! === lengths[axis]; axis--) index[axis] = 0;
  }
}

/** Where a row begins in an array of this shape. */
function rowAt(shape: readonly number[], index: readonly number[]): number {
  return shape.slice(0, -1).reduce((at, n, axis) => at * n + index[axis]!, 0) * shape.at(-1)!;
}

/** Copies what a tile sees of an image to `to`, mirrored beyond the edges. */
export function copyIn(
  image: Float32Array,
  shape: readonly number[],
  tile: Tile,
  size: readonly number[],
  to: Float32Array,
): void {
  const [width, columns, column] = [size.at(-1)!, shape.at(-1)!, tile.first.at(-1)!];
  eachRow(size, (index, k) => {
    const inside = index.map((i, axis) => mirrored(tile.first[axis]! + i, shape[axis]!));
    const from = rowAt(shape, inside);
    const line = to.subarray(k * width, (k + 1) * width);
    const first = Math.max(0, column);
    const end = Math.min(columns, column + width);
    line.set(image.subarray(from + first, from + end), first - column);
    // the few columns beyond the edges
    for (let c = column; c < 0; c++) line[c - column] = image[from + mirrored(c, columns)]!;
    for (let c = end; c < column + width; c++) line[c - column] = image[from + mirrored(c, columns)]!;
  });
}

/** Copies the part that a tile gives into the result. */
export function copyOut(
  from: Float32Array,
  { first, from: start, lengths }: Tile,
  size: readonly number[],
  image: Float32Array,
  shape: readonly number[],
): void {
  const last = size.length - 1;
  eachRow(lengths, (index) => {
    const seen = index.map((i, axis) => start[axis]! - first[axis]! + i);
    const made = index.map((i, axis) => start[axis]! + i);
    const at = rowAt(size, seen) + start[last]! - first[last]!;
    image.set(from.subarray(at, at + lengths[last]!), rowAt(shape, made) + start[last]!);
  });
}
