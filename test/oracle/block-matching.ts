/** BM3D by its definition (native/ops/block_matching.h), one slice in double; slow and obvious. */

const side = 8;
const most = 16;
type Slice = { data: ArrayLike<number>; rows: number; columns: number };
type Block = number[]; // row by row
type Options = { search: number; sigma: number };

const range = (n: number) => Array.from({ length: n }, (_, k) => k);
/** Rows or columns where reference blocks begin: every third, and the last one. */
const places = (n: number) => [...range(n - side).filter((k) => k % 3 === 0), n - side];

/** From places to frequencies, orthonormal: [frequency][place]. */
const cosines = range(side).map((k) =>
  range(side).map((i) => Math.sqrt((k === 0 ? 1 : 2) / side) * Math.cos((Math.PI * (i + 0.5) * k) / side)),
);
function transform(block: Block, inverse: boolean): Block {
  const entry = (k: number, i: number) => (inverse ? cosines[i]![k]! : cosines[k]![i]!);
  return range(side * side).map((p) => {
    let sum = 0;
    for (const y of range(side))
      for (const x of range(side)) sum += entry(Math.floor(p / side), y) * entry(p % side, x) * block[y * side + x]!;
    return sum;
  });
}

/** Sums of neighbours first, then their differences; the sums again. */
function haar(values: number[]): number[] {
  if (values.length === 1) return values;
  const pairs = range(values.length / 2).map((k) => [values[2 * k]!, values[2 * k + 1]!] as const);
  return [...haar(pairs.map(([a, b]) => (a + b) * Math.SQRT1_2)), ...pairs.map(([a, b]) => (a - b) * Math.SQRT1_2)];
}
function haarBack(values: number[]): number[] {
  if (values.length === 1) return values;
  const half = values.length / 2;
  const sums = haarBack(values.slice(0, half));
  return sums.flatMap((s, k) => [(s + values[half + k]!) * Math.SQRT1_2, (s - values[half + k]!) * Math.SQRT1_2]);
}
/** A transform through the stack, pixel by pixel. */
function through(stack: Block[], along: (values: number[]) => number[]): Block[] {
  const lines = range(side * side).map((p) => along(stack.map((block) => block[p]!)));
  return stack.map((_, k) => lines.map((line) => line[k]!));
}
const spectrum = (stack: Block[]) =>
  through(
    stack.map((block) => transform(block, false)),
    haar,
  );

const bessel = (x: number) => {
  let [sum, term] = [1, 1];
  for (let k = 1; k < 30; k++) sum += term *= (x * x) / (4 * k * k);
  return sum;
};
const taper = range(side).map((k) => bessel(2 * Math.sqrt(1 - ((2 * k) / (side - 1) - 1) ** 2)) / bessel(2));

/** One pass: blocks are matched in the guide; without one it is the first pass. */
function pass({ data, rows, columns }: Slice, { search, sigma }: Options, guide?: Float64Array): Float64Array {
  const blockOf = (image: ArrayLike<number>, y: number, x: number): Block =>
    range(side * side).map((p) => image[(y + Math.floor(p / side)) * columns + x + (p % side)]!);
  const matchesOf = (y: number, x: number) => {
    const reference = blockOf(guide ?? data, y, x);
    const found: { distance: number; y: number; x: number }[] = [];
    for (let j = Math.max(0, y - search); j <= Math.min(rows - side, y + search); j++)
      for (let i = Math.max(0, x - search); i <= Math.min(columns - side, x + search); i++) {
        const distance = blockOf(guide ?? data, j, i).reduce((sum, v, p) => sum + (v - reference[p]!) ** 2, 0);
        if (distance < (guide ? 0.64 : 4) * sigma ** 2 * side * side && (j !== y || i !== x))
          found.push({ distance, y: j, x: i });
      }
    found.sort((a, b) => a.distance - b.distance);
    const all = [{ y, x }, ...found];
    return all.slice(0, 2 ** Math.floor(Math.log2(Math.min(most, all.length))));
  };
  const sums = new Float64Array(rows * columns);
  const weights = new Float64Array(rows * columns);
  for (const top of places(rows))
    for (const left of places(columns)) {
      const group = matchesOf(top, left);
      const noisy = spectrum(group.map(({ y, x }) => blockOf(data, y, x)));
      const clean = guide && spectrum(group.map(({ y, x }) => blockOf(guide, y, x)));
      const factors = noisy.map((block, k) =>
        block.map((c, p) =>
          clean ? clean[k]![p]! ** 2 / (clean[k]![p]! ** 2 + sigma ** 2) : +(Math.abs(c) > 2.7 * sigma),
        ),
      );
      const weight =
        1 /
        Math.max(
          factors.flat().reduce((sum, f) => sum + f * f, 0),
          guide ? 1e-6 : 1,
        );
      const shrunk = noisy.map((block, k) => block.map((c, p) => (factors[k]![p] === 0 ? 0 : c * factors[k]![p]!)));
      shrunk[0]![0] = noisy[0]![0]!; // the mean of all stays
      through(shrunk, haarBack).forEach((block, k) => {
        transform(block, true).forEach((v, p) => {
          const [y, x] = [Math.floor(p / side), p % side];
          const w = weight * taper[y]! * taper[x]!;
          const to = (group[k]!.y + y) * columns + group[k]!.x + x;
          sums[to] = sums[to]! + w * v;
          weights[to] = weights[to]! + w;
        });
      });
    }
  return sums.map((sum, i) => sum / weights[i]!);
}

export function blockMatchingOracle(slice: Slice, options: Options): Float64Array {
  return pass(slice, options, pass(slice, options));
}
