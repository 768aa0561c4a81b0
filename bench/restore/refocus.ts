/**
 * How well motion is found in complex MR slices and undone: 19 cases, 11 of one to four sudden changes and 8 periodic ones, out of slices of
 * the given volumes (.nii, .npy), in turns. Every slice gets a smooth phase; line v of its k-space is that of the slice turned and moved to
 * where it lay then, by plain sums over its pixels in double. PSNR against the still slice, over its largest value.
 *
 *     node --import tsx bench/restore/refocus.ts [--only 0,11] T2.nii.gz FLAIR.nii.gz
 */
import { parseArgs } from "node:util";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readArray, toFloat32 } from "../../lib/data/array-files.ts";
import { statistics } from "../../lib/image/pixels.ts";
import { psnr } from "../../lib/metrics/index.ts";
import { addBiasField, simulateMotion } from "../../lib/restore/degrade.ts";
import { sliceOf } from "../../lib/restore/quiet.ts";
import { refocus } from "../../lib/restore/refocus.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: "string" } } });

interface Case {
  readonly kind: "sudden" | "periodic";
  readonly degrees: number;
  readonly pixels: number;
  readonly count: number;
}

const cases = Array.from({ length: 19 }, (_, k): Case => {
  const i = k < 11 ? k : k - 11;
  return {
    kind: k < 11 ? "sudden" : "periodic",
    degrees: [0, 1, 3, 6][(i >> 1) % 4]!,
    pixels: [8, 1, 3, 5][(i + (i >> 2)) % 4]!,
    count: (k < 11 ? [1, 2, 3, 4] : [4, 6, 8, 11])[i % 4]!,
  };
});

interface Complex {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

const complex = (length: number): Complex => ({
  real: new Float64Array(length),
  imaginary: new Float64Array(length),
});

/** e^(−2πi·f·(k − middle)) of n places. */
function wave(f: number, n: number, middle: number): Complex {
  const { real, imaginary } = complex(n);
  for (let k = 0; k < n; k++) {
    const angle = -2 * Math.PI * f * (k - middle);
    real[k] = Math.cos(angle);
    imaginary[k] = Math.sin(angle);
  }
  return { real, imaginary };
}

/** What the transform of an image is at one frequency, counted from its middle. */
function at({ real, imaginary }: Complex, shape: readonly [number, number], fy: number, fx: number): [number, number] {
  const [rows, columns] = shape;
  const [down, across] = [wave(fy, rows, (rows - 1) / 2), wave(fx, columns, (columns - 1) / 2)];
  let [re, im] = [0, 0];
  for (let r = 0; r < rows; r++) {
    let [a, b] = [0, 0];
    for (let c = 0, i = r * columns; c < columns; c++, i++) {
      a += real[i]! * across.real[c]! - imaginary[i]! * across.imaginary[c]!;
      b += real[i]! * across.imaginary[c]! + imaginary[i]! * across.real[c]!;
    }
    re += a * down.real[r]! - b * down.imaginary[r]!;
    im += a * down.imaginary[r]! + b * down.real[r]!;
  }
  return [re, im];
}

interface Path {
  readonly turn: Float64Array;
  readonly down: Float64Array;
  readonly right: Float64Array;
}

/** The image of k-space whose lines were measured along a path. */
function moved(image: Complex, [rows, columns]: readonly [number, number], path: Path): Complex {
  const result = complex(rows * columns);
  for (let k = 0; k < rows; k++) {
    const fy = (k - Math.floor(rows / 2)) / rows;
    const angle = (path.turn[k]! * Math.PI) / 180;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const line = complex(columns);
    for (let u = 0; u < columns; u++) {
      const fx = (u - Math.floor(columns / 2)) / columns;
      // counter-clockwise, row 0 at the top: the object's frequencies are turned with it
      const [re, im] = at(image, [rows, columns], fy * cos + fx * sin, fx * cos - fy * sin);
      const phase = -2 * Math.PI * (fy * path.down[k]! + fx * path.right[k]!);
      line.real[u] = re * Math.cos(phase) - im * Math.sin(phase);
      line.imaginary[u] = re * Math.sin(phase) + im * Math.cos(phase);
    }
    const down = wave(-fy, rows, (rows - 1) / 2);
    for (let c = 0; c < columns; c++) {
      let [re, im] = [0, 0];
      for (let u = 0; u < columns; u++) {
        const back = (2 * Math.PI * (u - Math.floor(columns / 2)) * (c - (columns - 1) / 2)) / columns;
        re += line.real[u]! * Math.cos(back) - line.imaginary[u]! * Math.sin(back);
        im += line.real[u]! * Math.sin(back) + line.imaginary[u]! * Math.cos(back);
      }
      for (let r = 0; r < rows; r++) {
        result.real[r * columns + c]! += (re * down.real[r]! - im * down.imaginary[r]!) / (rows * columns);
        result.imaginary[r * columns + c]! += (re * down.imaginary[r]! + im * down.real[r]!) / (rows * columns);
      }
    }
  }
  return result;
}

/** A phase of up to about two radians either way. */
async function withPhase(image: Volume, seed: number): Promise<Complex> {
  const ones = volume(new Float32Array(image.data.length).fill(1), image.shape);
  const field = (await addBiasField(ones, { seed, strength: 2 })).data;
  const result = complex(image.data.length);
  image.data.forEach((v, i) => {
    const phase = Math.log(field[i]!);
    result.real[i] = v * Math.cos(phase);
    result.imaginary[i] = v * Math.sin(phase);
  });
  return result;
}

const volumes: Volume[] = [];
for (const path of positionals) volumes.push(toFloat32((await readArray(path)).array));
const only = values.only?.split(",").map(Number);
const gains: { kind: Case["kind"]; gain: number; isCorrected: boolean }[] = [];
for (const [k, motion] of cases.entries()) {
  if (only && !only.includes(k)) continue;
  const from = volumes[k % volumes.length]!;
  const slice = Math.round((0.35 + (0.35 * k) / cases.length) * from.shape[0]!);
  const image = sliceOf(from, slice);
  const shape = image.shape as [number, number];
  const { maximum: range } = await statistics(image);
  const { turn, down, right } = await simulateMotion(image, { ...motion, seed: 1000 + k });
  const measured = moved(await withPhase(image, k), shape, { turn, down, right });
  const part = (values: Float64Array) => volume(Float32Array.from(values), shape);
  const before = part(measured.real.map((v, i) => Math.hypot(v, measured.imaginary[i]!)));
  const begun = process.cpuUsage();
  const { images, slices } = await refocus(part(measured.real), part(measured.imaginary));
  const { user, system } = process.cpuUsage(begun);
  const [input, output] = await Promise.all([before, images].map(async (m) => (await psnr(m, image, { range }))[0]!));
  const { isCorrected, misfit } = slices[0]!;
  gains.push({ kind: motion.kind, gain: output! - input!, isCorrected });
  console.log(
    JSON.stringify({
      case: k,
      slice,
      ...motion,
      input,
      output,
      isCorrected,
      misfit,
      cpuSeconds: (user + system) / 1e6,
    }),
  );
}

console.log("| | cases | mean gain | median | least | left as they were |\n|---|---|---|---|---|---|");
for (const kind of ["sudden", "periodic"] as const) {
  const all = gains.filter((g) => g.kind === kind);
  if (all.length === 0) continue;
  const list = all.map(({ gain }) => gain).sort((a, b) => a - b);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  const median = (list[(list.length - 1) >> 1]! + list[list.length >> 1]!) / 2;
  const left = all.filter((g) => !g.isCorrected).length;
  console.log(
    `| ${kind} | ${list.length} | ${mean.toFixed(1)} | ${median.toFixed(1)} | ${list[0]!.toFixed(1)} | ${left} |`,
  );
}
