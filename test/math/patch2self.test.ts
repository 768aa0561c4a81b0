/** Patch2Self: the closed form against one regression per volume, what it gains, what it leaves alone; and against DIPY where that is installed. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { patch2self } from "../../lib/dwi/index.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("patch2self");

/** Signals of a tensor that turns through space, b = 1000 but for the first volumes, with Gaussian noise. */
function scan(volumes: number, unweightedVolumes: number, size: number, noise: number) {
  const random = randomSource(volumes * 100 + size);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const voxels = size ** 3;
  const clean = new Float32Array(volumes * voxels);
  for (let j = 0; j < volumes; j++) {
    const turn = (Math.PI * j) / volumes;
    for (let v = 0; v < voxels; v++) {
      const [x, y, z] = [v % size, Math.floor(v / size) % size, Math.floor(v / size ** 2)];
      const s0 = 800 + 200 * Math.sin(x) * Math.cos(y + z);
      const diffusivity = 0.7 + 0.9 * Math.cos(turn - x / 3) ** 2 * Math.cos(y / 4 + turn) ** 2;
      clean[j * voxels + v] = j < unweightedVolumes ? s0 : s0 * Math.exp(-diffusivity);
    }
  }
  return {
    shape: [volumes, size, size, size],
    clean,
    noisy: clean.map((s) => s + noise * normal()),
    bvals: Array.from({ length: volumes }, (_, j) => (j < unweightedVolumes ? j % 2 : 1000 + j)),
  };
}

/** Solves a·x = b by elimination with pivots. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  const m = a.map((row, i) => [...row, b[i]!]);
  for (let i = 0; i < n; i++) {
    const pivot = m.slice(i).reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(m[best]![i]!) ? i + k : best), i);
    [m[i], m[pivot]] = [m[pivot]!, m[i]!];
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const factor = m[k]![i]! / m[i]![i]!;
      for (let c = i; c <= n; c++) m[k]![c]! -= factor * m[i]![c]!;
    }
  }
  return m.map((row, i) => row[n]! / row[i]!);
}

/** The usual way: for every volume, least squares of it on all others and a constant. */
function leaveOneOut(data: Float32Array, group: number[], voxels: number, learn: number[]): Map<number, Float32Array> {
  return new Map(
    group.map((j) => {
      const others = group.filter((i) => i !== j);
      const regressors = (v: number) => [1, ...others.map((i) => data[i * voxels + v]!)];
      const n = others.length + 1;
      const a = Array.from({ length: n }, () => new Array<number>(n).fill(0));
      const b = new Array<number>(n).fill(0);
      for (const v of learn) {
        const r = regressors(v);
        for (let p = 0; p < n; p++) {
          b[p]! += r[p]! * data[j * voxels + v]!;
          for (let q = 0; q < n; q++) a[p]![q]! += r[p]! * r[q]!;
        }
      }
      const w = solve(a, b);
      return [j, Float32Array.from({ length: voxels }, (_, v) => regressors(v).reduce((s, r, p) => s + r * w[p]!, 0))];
    }),
  );
}

const error = (a: Float32Array, b: Float32Array) =>
  Math.sqrt(a.reduce((s, x, i) => s + (x - b[i]!) ** 2, 0) / a.length);

for (const masked of [false, true])
  test(`one inverse gives what a regression per volume gives${masked ? ", learnt inside a mask" : ""}`, async () => {
    const { shape, noisy, bvals } = scan(12, 3, 9, 20);
    const voxels = 729;
    const mask = Uint8Array.from({ length: voxels }, (_, v) => (v % 3 === 0 ? 0 : 1));
    const learn = Array.from({ length: voxels }, (_, v) => v).filter((v) => !masked || mask[v]);
    const options = { bvals, ...(masked && { mask: { data: mask, shape: [9, 9, 9] } }) };
    const { data } = await patch2self({ data: noisy, shape }, options);
    for (const group of [[0, 1, 2], bvals.map((_, i) => i).slice(3)])
      for (const [j, expected] of leaveOneOut(noisy, group, voxels, learn))
        assertClose(data.subarray(j * voxels, (j + 1) * voxels), expected, { atol: 0.002 }, `volume ${j}`);
  });

test("noise goes, signal stays", async () => {
  const { shape, noisy, clean, bvals } = scan(40, 1, 16, 40);
  const { data } = await patch2self({ data: noisy, shape }, { bvals });
  const voxels = 4096;
  assert.equal(data.subarray(0, voxels), noisy.subarray(0, voxels), "a single unweighted volume is copied");
  const [before, after] = [noisy, data].map((x) => error(x.subarray(voxels), clean.subarray(voxels)));
  assert.ok(after! < before! / 2, `${before} → ${after}`);
});

test("unweighted volumes are left alone where that is asked for, and repeated volumes are no obstacle", async () => {
  const { shape, noisy, bvals } = scan(10, 2, 6, 10);
  const { data } = await patch2self({ data: noisy, shape }, { bvals, unweighted: false });
  assert.equal(data.subarray(0, 432), noisy.subarray(0, 432));
  noisy.copyWithin(5 * 216, 4 * 216, 5 * 216);
  const twice = await patch2self({ data: noisy, shape }, { bvals });
  assert.ok(twice.data.every(Number.isFinite));
  assertClose(twice.data.subarray(5 * 216, 6 * 216), noisy.subarray(4 * 216, 5 * 216), { atol: 0.01 });
});

test("what is wrong is told", async () => {
  const { shape, noisy, bvals } = scan(4, 1, 3, 1);
  const dwi = { data: noisy, shape };
  await assertRejects(() => patch2self(dwi, { bvals: bvals.slice(1) }), "ERR_SINO_SHAPE");
  await assertRejects(() => patch2self({ data: noisy, shape: [4, 27] }, { bvals }), "ERR_SINO_SHAPE");
  const mask = { data: new Uint8Array(9), shape: [1, 3, 3] };
  await assertRejects(() => patch2self(dwi, { bvals, mask }), "ERR_SINO_SHAPE");
  noisy[5] = Number.NaN;
  await assertRejects(() => patch2self(dwi, { bvals }), "ERR_SINO_OUT_OF_RANGE");
});

// Apart from a constant per volume: scikit-learn overwrites the regressors with centred ones (copy_X=False), from which DIPY predicts.
test.skipUnless(pythonHas("dipy", "sklearn"), "DIPY and scikit-learn are not installed")(
  "agrees with DIPY's least squares",
  async () => {
    const { shape, noisy, bvals } = scan(16, 3, 12, 20);
    const folder = temporaryFolder();
    writeFileSync(join(folder, "in.f32"), noisy);
    pythonJson(
      `import sys, numpy as np
from dipy.denoise.patch2self import patch2self
folder = sys.argv[1]
data = np.fromfile(folder + "/in.f32", np.float32).reshape(${JSON.stringify(shape)})
found = patch2self(np.moveaxis(data, 0, -1).astype(np.float64), np.array(${JSON.stringify(bvals)}), model="ols", shift_intensity=False, clip_negative_vals=False, version=1, out_dtype=np.float64)
np.moveaxis(found, -1, 0).astype(np.float32).tofile(folder + "/out.f32")`,
      folder,
    );
    const bytes = readFileSync(join(folder, "out.f32"));
    const expected = new Float32Array(bytes.buffer, bytes.byteOffset, noisy.length);
    const { data } = await patch2self({ data: noisy, shape }, { bvals });
    assertClose(centred(data, 1728), centred(expected, 1728), { atol: 0.01 });
  },
);

/** Every volume without its mean. */
function centred(data: Float32Array, voxels: number): Float32Array {
  const result = data.slice();
  for (let at = 0; at < data.length; at += voxels) {
    const mean = data.subarray(at, at + voxels).reduce((sum, x) => sum + x, 0) / voxels;
    for (let v = at; v < at + voxels; v++) result[v]! -= mean;
  }
  return result;
}

test.run();
