/** One output pixel at a time, from the definition of each method. */
const clamp = (k: number, n: number) => Math.min(Math.max(k, 0), n - 1);

/** Keys' kernel with a = −1/2, written with a. */
function cubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
}

/** Weight of every input pixel (border repeated) in output pixel k. */
function axisWeights(k: number, from: number, to: number, method: string): number[] {
  const weights = new Array<number>(from).fill(0);
  const s = ((k + 0.5) * from) / to - 0.5;
  const add = (i: number, w: number) => {
    weights[clamp(i, from)]! += w;
  };
  if (method === "nearest") add(Math.floor(((2 * k + 1) * from) / (2 * to)), 1);
  if (method === "linear" || method === "cubic")
    for (let i = Math.floor(s) - 2; i <= Math.floor(s) + 3; i++)
      add(i, method === "cubic" ? cubic(s - i) : Math.max(0, 1 - Math.abs(s - i)));
  if (method === "lanczos") {
    const scale = Math.max(1, from / to);
    const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
    const kernel = (x: number) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0);
    const places = Array.from({ length: 2 * Math.ceil(3 * scale) + 4 }, (_, n) => Math.floor(s - 3 * scale) - 1 + n);
    const sum = places.reduce((total, i) => total + kernel((s - i) / scale), 0);
    for (const i of places) add(i, kernel((s - i) / scale) / sum);
  }
  if (method === "area")
    for (let i = 0; i < from; i++) {
      const overlap = Math.min(i + 1, ((k + 1) * from) / to) - Math.max(i, (k * from) / to);
      if (overlap > 0) add(i, (overlap * to) / from);
    }
  return weights;
}

export function resampleOracle(
  image: Float32Array,
  [rows, columns]: readonly [number, number],
  [outRows, outColumns]: readonly [number, number],
  method: string,
): Float64Array {
  const result = new Float64Array(outRows * outColumns);
  for (let r = 0; r < outRows; r++) {
    const down = axisWeights(r, rows, outRows, method);
    for (let c = 0; c < outColumns; c++) {
      const across = axisWeights(c, columns, outColumns, method);
      down.forEach((wr, j) => {
        across.forEach((wc, i) => {
          if (wr && wc) result[r * outColumns + c]! += wr * wc * image[j * columns + i]!;
        });
      });
    }
  }
  return result;
}
