/** Metrics beside scikit-image's and MONAI's, where a Python has them: what agrees, how far, and where definitions part. */
import { type ArrayLike, volume } from "../../lib/core/arrays.ts";
import { dice, frechetDistance, hausdorff, msSsim, psnr, ssim } from "../../lib/metrics/index.ts";
import { assertClose } from "../support/assert-close.ts";
import { peersWith } from "../support/peers.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("metrics beside other packages");
const skimage = peersWith("numpy", "scipy", "skimage");
const monai = peersWith("numpy", "torch", "monai");

const slices = 2;
const [rows, columns] = [192, 208] as const;

/** Smooth structure with an edge, values 0 to 1; and the same blurred by noise and a slope. */
function pictures() {
  const next = randomSource(4);
  const reference = Float32Array.from({ length: slices * rows * columns }, (_, i) => {
    const [s, y, x] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    const edge = Math.hypot(y - 90, x - 100) < 50 + 20 * s ? 0.3 : 0;
    return 0.2 + edge + 0.2 * (1 + Math.sin(y / 9) * Math.cos(x / 7 + s));
  });
  const images = reference.map((v, i) => v + 0.15 * (next() - 0.5) + (0.05 * (i % columns)) / columns);
  return { a: volume(images, [slices, rows, columns]), b: volume(reference, [slices, rows, columns]) };
}

/** Two overlapping balls whose surfaces lie inside the volume, a hole in the first. */
function masks() {
  const shape = [14, 40, 44] as const;
  const ball = (at: readonly [number, number, number], radius: number, hole: number) =>
    volume(
      Uint8Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => {
        const [z, y, x] = [Math.floor(i / (40 * 44)), Math.floor(i / 44) % 40, i % 44];
        const away = Math.hypot(2.5 * (z - at[0]), 0.8 * (y - at[1]), 0.9 * (x - at[2]));
        return away <= radius && away > hole ? 1 : 0;
      }),
      shape,
    );
  return { p: ball([6, 18, 20], 11, 3), q: ball([7, 21, 23], 10, 0) };
}

interface Skimage {
  psnr: number[];
  gaussian: number[];
  uniform: number[];
  hausdorff: number;
}

test.skipUnless(skimage, "no Python here has scikit-image")("PSNR, SSIM and Hausdorff are scikit-image's", async () => {
  const { a, b } = pictures();
  const { p, q } = masks();
  const found = await skimage!<Skimage>(
    `
from scipy.ndimage import binary_erosion
from skimage.metrics import hausdorff_distance, peak_signal_noise_ratio, structural_similarity
pairs = list(zip(A["a"], A["b"]))
inside = lambda m, r: float(np.mean(m[r:-r, r:-r]))
full = lambda x, y, **o: structural_similarity(x, y, data_range=1, full=True, **o)[1]
surface = lambda m: (m > 0) & ~binary_erosion(m > 0)
say({
  "psnr": [peak_signal_noise_ratio(y, x, data_range=1) for x, y in pairs],
  "gaussian": [inside(full(x, y, gaussian_weights=True, sigma=1.5, truncate=3.5, use_sample_covariance=False), 5) for x, y in pairs],
  "uniform": [structural_similarity(x, y, data_range=1) for x, y in pairs],
  "hausdorff": float(hausdorff_distance(surface(A["p"][6]), surface(A["q"][6]))),
})`,
    { a, b, p, q },
  );
  // sums in another order
  assertClose(await psnr(a, b, { range: 1 }), found.psnr, { atol: 1e-9 }, "PSNR");
  assertClose(await ssim(a, b, { range: 1 }), found.gaussian, { atol: 1e-9 }, "SSIM, its whole windows");
  const uniform = await ssim(a, b, { range: 1, window: "uniform" });
  assertClose(uniform, found.uniform, { atol: 1e-9 }, "SSIM, uniform");
  const middle = (mask: ArrayLike) => volume(mask.data.subarray(6 * 40 * 44, 7 * 40 * 44) as Uint8Array, [40, 44]);
  assertClose(await hausdorff(middle(p), middle(q), { percentile: 1 }), [found.hausdorff], { rtol: 1e-6 });
});

test.skipUnless(skimage, "no Python here has SciPy")(
  "the Fréchet distance is that of SciPy's matrix root",
  async () => {
    const next = randomSource(12);
    const features = (n: number, shift: number) => {
      const raw = Float64Array.from({ length: n * 12 }, () => next() + next() - 1 + shift);
      return volume(
        raw.map((v, i) => (i % 12 === 0 ? v : v + 0.6 * raw[i - 1]!)),
        [n, 12],
      );
    };
    const [a, b] = [features(60, 0), features(45, 0.2)];
    const found = await skimage!<number>(
      `
from scipy.linalg import sqrtm
s, t = np.cov(A["a"], rowvar=False), np.cov(A["b"], rowvar=False)
mean = A["a"].mean(0) - A["b"].mean(0)
say(float(mean @ mean + np.trace(s + t - 2 * sqrtm(s @ t).real)))`,
      { a, b },
    );
    assertClose([frechetDistance(a, b)], [found], { rtol: 1e-9 });
  },
);

interface Monai {
  psnr: number[];
  gaussian: number[];
  uniform: number[];
  msSsim: number[];
  dice: number;
  dicePerSlice: (number | null)[];
  hausdorff: Record<string, number>;
}

test.skipUnless(monai, "no Python here has MONAI")("PSNR, SSIM, MS-SSIM, Dice and Hausdorff are MONAI's", async () => {
  const { a, b } = pictures();
  const { p, q } = masks();
  const found = await monai!<Monai>(
    `
import torch
from monai.metrics import PSNRMetric, SSIMMetric, MultiScaleSSIMMetric, compute_dice, compute_hausdorff_distance
one = lambda array: torch.tensor(array)[:, None]
x, y = one(A["a"]), one(A["b"])
p, q = (torch.tensor(A[m].astype(np.float32))[None, None] for m in "pq")
numbers = lambda t: [float(v) for v in t.flatten()]
hausdorff = lambda share: float(compute_hausdorff_distance(p, q, include_background=True, percentile=share, spacing=[2.5, 0.8, 0.9]))
say({
  "psnr": numbers(PSNRMetric(max_val=1, reduction="none")(x, y)),
  "gaussian": numbers(SSIMMetric(2, reduction="none")(x, y)),
  "uniform": numbers(SSIMMetric(2, kernel_type="uniform", win_size=7, reduction="none")(x, y)),
  "msSsim": numbers(MultiScaleSSIMMetric(2, reduction="none")(x, y)),
  "dice": float(compute_dice(p, q)),
  "dicePerSlice": numbers(compute_dice(p[0, 0][:, None], q[0, 0][:, None], ignore_empty=True)),
  "hausdorff": {str(s): hausdorff(100 * s) for s in (1, 0.95, 0.5)},
})`,
    { a, b, p, q },
  );
  // it computes in float32, and there variances are differences of nearly equal numbers
  assertClose(await psnr(a, b, { range: 1 }), found.psnr, { atol: 1e-9 }, "PSNR");
  assertClose(await ssim(a, b, { range: 1 }), found.gaussian, { atol: 2e-5 }, "SSIM");
  assertClose(await msSsim(a, b, { range: 1 }), found.msSsim, { atol: 4e-6 }, "MS-SSIM");
  // its uniform windows have population variances, 48/49 of scikit-image's and ours
  assertClose(await ssim(a, b, { range: 1, window: "uniform" }), found.uniform, { atol: 2e-3 }, "SSIM, uniform");
  assertClose(await dice(p, q, { dimensions: 3 }), [found.dice], { atol: 1e-7 }, "Dice");
  // it leaves out slices where the second mask is empty; ours leaves out those where both are
  const slicewise = await dice(p, q);
  const theirs = found.dicePerSlice.map((v, s) => v ?? (slicewise[s] === 0 ? 0 : Number.NaN));
  assertClose(slicewise, theirs, { atol: 1e-7 }, "Dice of slices");
  for (const [share, distance] of Object.entries(found.hausdorff)) {
    const options = { dimensions: 3, sampling: [2.5, 0.8, 0.9], percentile: Number(share) } as const;
    assertClose(await hausdorff(p, q, options), [distance], { rtol: 1e-6 }, `Hausdorff, ${share}`);
  }
});

test.run();
