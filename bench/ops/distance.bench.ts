/**
 * The distance transform on the masks that metal artefact reduction has, beside scipy doing the same (where it is installed). Every
 * result is compared with scipy's before it is timed. Prints medians with their spread and the megapixels per second.
 *
 *     node --import tsx bench/ops/distance.bench.ts [repeats]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sizeOf, volume } from "../../lib/core/arrays.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { type DistanceOptions, distanceTransform } from "../../lib/image/distance.ts";
import { pythonHas, pythonJson } from "../../test/support/python.ts";
import { randomSource } from "../../test/support/random.ts";

const repeats = Number(process.argv[2] ?? 50);

/** 1 everywhere but in a few balls of radius `smallest` to `largest`. */
function balls(shape: readonly number[], count: number, smallest: number, largest: number): Uint8Array<ArrayBuffer> {
  const next = randomSource(1);
  const mask = new Uint8Array(sizeOf(shape)).fill(1);
  for (let ball = 0; ball < count; ball++) {
    const centre = shape.map((n) => next() * n);
    const radius = smallest + next() * (largest - smallest);
    for (let i = 0; i < mask.length; i++) {
      let rest = i;
      let sum = 0;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        sum += ((rest % shape[axis]!) - centre[axis]!) ** 2;
        rest = Math.floor(rest / shape[axis]!);
      }
      if (sum <= radius * radius) mask[i] = 0;
    }
  }
  return mask;
}

const plane = [512, 512];
const cube = [256, 256, 256];
const sparse = balls(plane, 5, 3, 15);
const sparseCube = balls(cube, 8, 3, 15);
const next = randomSource(2);
const batch = new Uint8Array(64 * sparse.length);
for (let slice = 0; slice < 64; slice++) batch.set(sparse, slice * sparse.length);
const cases: [name: string, mask: Uint8Array, shape: number[], options: DistanceOptions][] = [
  ["to sparse metal, 512²", sparse, plane, {}],
  ["  with indices", sparse, plane, { indices: true }],
  ["  unequal spacing", sparse, plane, { sampling: [0.7, 0.8] }],
  ["inside sparse metal, 512²", sparse.map((m) => 1 - m), plane, {}],
  ["inside a disk of radius 240", balls(plane, 1, 240, 240).map((m) => 1 - m), plane, {}],
  ["random, half zero", Uint8Array.from(sparse, () => (next() < 0.5 ? 0 : 1)), plane, {}],
  ["to sparse metal, 64 × 512²", batch, [64, ...plane], {}],
  ["to sparse metal, 256³", sparseCube, cube, { dimensions: 3 }],
  ["inside sparse metal, 256³", sparseCube.map((m) => 1 - m), cube, { dimensions: 3 }],
];

const scipy = `import sys, json, time, numpy as np, scipy.ndimage as n
m = np.load(sys.argv[1]); ours = np.load(sys.argv[2]); s = json.loads(sys.argv[3])
sampling = s["sampling"] if s["sampling"] else 1
t = time.perf_counter()
e = n.distance_transform_edt(m, sampling=sampling)
ms = (time.perf_counter() - t) * 1000
print(json.dumps([ms, float(np.max(np.abs(ours - e) / np.maximum(e, 1)))]))`;

const folder = mkdtempSync(join(tmpdir(), "sinogram-bench-"));
try {
  const hasScipy = pythonHas("scipy");
  if (!hasScipy) console.log("scipy is not installed: no comparison (pip install scipy)");
  for (const [name, mask, shape, options] of cases) {
    const input = volume(mask as Uint8Array<ArrayBuffer>, shape);
    const isBatch = shape.length === 3 && options.dimensions !== 3;
    let peer = "";
    if (hasScipy && !isBatch) {
      const { distances } = await distanceTransform(input, options);
      const [maskFile, oursFile] = [join(folder, "mask.npy"), join(folder, "ours.npy")];
      await writeNpy(maskFile, input);
      await writeNpy(oursFile, distances);
      const sampling = JSON.stringify({ sampling: options.sampling ?? null });
      const [ms, worst] = pythonJson(scipy, maskFile, oursFile, sampling) as [number, number];
      if (worst > 6e-8) throw new Error(`${name}: ${worst} away from scipy`);
      peer = `scipy ${ms.toFixed(1)} ms`;
    }
    const times: number[] = [];
    for (let turn = 0; turn <= (mask.length > 1e6 ? Math.ceil(repeats / 5) : repeats); turn++) {
      const start = performance.now();
      await distanceTransform(input, options);
      if (turn > 0) times.push(performance.now() - start); // the first turn warms up
    }
    times.sort((a, b) => a - b);
    const median = times[times.length >> 1]!;
    const spread = `${times[0]!.toFixed(3)} – ${times.at(-1)!.toFixed(3)}`;
    const rate = `${(mask.length / median / 1e3).toFixed(0)} Mpx/s`;
    console.log(`${name.padEnd(30)}${median.toFixed(3).padStart(9)} ms (${spread})  ${rate.padStart(10)}  ${peer}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
