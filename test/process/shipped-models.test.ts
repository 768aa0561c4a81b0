/** Models that come with the package: they load, are what their cards say, are small, and do what their cards promise. */
import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { generate, namedConditions, openStages } from "../../lib/generate/index.ts";
import { sizeBehind } from "../../lib/generate/stages.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { toHounsfield } from "../../lib/image/hounsfield.ts";
import { clip, combine } from "../../lib/image/pixels.ts";
import { segmentMetal, segmentMetalByNetwork, virtualScan } from "../../lib/mar/index.ts";
import { dice, rmse } from "../../lib/metrics/index.ts";
import { loadTrained, metalModel, restorationModel, shippedModels } from "../../lib/models/index.ts";
import { normalNoise } from "../../lib/physics/noise.ts";
import { parsePhysics } from "../../lib/physics/physics.ts";
import { simulateScan } from "../../lib/physics/scan.ts";
import { coarserPixels } from "../../lib/restore/degrade.ts";
import { denoiseByNetwork } from "../../lib/restore/denoise.ts";
import { lowDoseImages } from "../../lib/restore/low-dose.ts";
import { enlarge, superResolve } from "../../lib/restore/super-resolve.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("shipped models");
const withNetworks = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const shelf = resolve(import.meta.dirname, "../../models");
const names = await shippedModels();

suite("every model has a card with licence, data, split, metrics, and weights of its digest below 20 MB", async () => {
  assert.ok(names.length > 0);
  for (const name of names) {
    const { isSegmentation, diffusion } = await loadTrained(join(shelf, name));
    if (isSegmentation) await metalModel(name);
    else if (!diffusion) await restorationModel(name);
    const card = JSON.parse(await readFile(join(shelf, name, "model.json"), "utf8"));
    assert.equal(card.name, name);
    for (const field of ["licence", "data", "split", "metrics", "weightsSha256", "limits"])
      assert.ok(card[field], `${name}: ${field}`);
    let bytes = 0;
    for (const file of await readdir(join(shelf, name))) bytes += (await stat(join(shelf, name, file))).size;
    assert.ok(bytes < 20 * 2 ** 20, `${name}: ${bytes} bytes`);
  }
});

/** Organs of round shapes in a body of 96 × 96 pixels, HU. */
async function body(): Promise<Volume> {
  const n = 96;
  const inside = (i: number, x: number, y: number, a: number, b: number) =>
    ((i % n) - x) ** 2 / a ** 2 + (Math.floor(i / n) - y) ** 2 / b ** 2 < 1;
  const data = new Float32Array(n * n).map((_, i) => {
    if (!inside(i, 48, 48, 44, 36)) return -1000;
    if (inside(i, 48, 70, 8, 7)) return 400;
    if (inside(i, 34, 42, 12, 10)) return 110;
    return inside(i, 64, 44, 9, 14) ? -60 : 40;
  });
  return gaussian(volume(data, [n, n]), { sigma: 0.7 });
}

withNetworks("the denoiser of CT halves the error of a quarter's dose and keeps HU", async () => {
  if (!names.includes("low-dose-ct")) return;
  const clean = await body();
  const noisy = await lowDoseImages(clean, { fraction: 0.25, pixelMm: 2, photons: 1e4, cutoff: 0.8, seed: 3 });
  const restored = await denoiseByNetwork(noisy, await restorationModel("low-dose-ct"), { threads: 1 });
  const [before, after] = [(await rmse(noisy, clean))[0]!, (await rmse(restored, clean))[0]!];
  assert.ok(after < 0.5 * before, `${after} of ${before} HU`);
  const difference = await combine([
    [1, restored],
    [-1, noisy],
  ]);
  const bias = difference.data.reduce((a, b) => a + b, 0) / difference.data.length;
  assert.ok(Math.abs(bias) < 3, `${bias} HU`);
});

withNetworks("the enlarging network is nearer to the truth than bicubic interpolation, in any unit", async () => {
  if (!names.includes("super-resolve-2")) return;
  const clean = await body();
  const noise = await normalNoise([96, 96], { seed: 1 });
  for (const [gain, offset] of [
    [1, 0],
    [0.01, 50],
  ] as const) {
    const sharp = await combine(
      [
        [gain, clean],
        [gain, noise],
      ],
      { offset },
    );
    const coarse = await coarserPixels(sharp, { factor: 2 });
    const cubic = (await rmse(await enlarge(coarse, { method: "cubic" }), sharp))[0]!;
    const network = (
      await rmse(await superResolve(coarse, await restorationModel("super-resolve-2"), { threads: 1 }), sharp)
    )[0]!;
    assert.ok(network < 0.85 * cubic, `${network} of ${cubic}`);
  }
});

withNetworks("the sharper one has finer detail, is still nearer than interpolation, and moves no values", async () => {
  if (!names.includes("super-resolve-2-sharp")) return;
  const clean = await body();
  const noise = await gaussian(await normalNoise([96, 96], { seed: 1 }), { sigma: 0.6 });
  const sharp = await combine([
    [1, clean],
    [40, noise],
  ]);
  const coarse = await coarserPixels(sharp, { factor: 2 });
  const mean = ({ data }: Volume) => data.reduce((sum, v) => sum + v, 0) / data.length;
  const madeBy = async (name: string) => {
    const made = await superResolve(coarse, await restorationModel(name), { threads: 1 });
    const broad = await gaussian(made, { sigma: 1 });
    const detail = await rmse(made, broad);
    return { error: (await rmse(made, sharp))[0]!, detail: detail[0]!, bias: mean(made) - mean(sharp) };
  };
  const [plain, finer] = [await madeBy("super-resolve-2"), await madeBy("super-resolve-2-sharp")];
  assert.ok(finer.detail > plain.detail, `${finer.detail} beside ${plain.detail}`);
  const cubic = (await rmse(await enlarge(coarse, { method: "cubic" }), sharp))[0]!;
  assert.ok(finer.error < 0.85 * cubic, `${finer.error} of ${cubic}`);
  assert.ok(Math.abs(finer.bias) < 3, String(finer.bias));
});

withNetworks(
  "ct-slices draws bodies in air by their part: lungs in a chest, none in a pelvis, and goes on to 416 × 416",
  async () => {
    if (!names.includes("ct-slices")) return;
    const folder = join(shelf, "ct-slices");
    const trained = await loadTrained(folder);
    const stages = await openStages(trained, folder);
    assert.deepEqual([...sizeBehind(stages, trained.size as [number, number])], [416, 416]);
    const shares = async (bodyPart: string) => {
      const options = { seed: 7, count: 2, steps: 12, threads: 1, ...namedConditions(trained, { bodyPart }) };
      const { data } = await generate(trained, options);
      const share = (low: number, high: number) => data.filter((v) => v >= low && v < high).length / data.length;
      return {
        air: share(-1001, -950),
        lung: share(-950, -500),
        soft: share(-150, 150),
        top: data.subarray(0, 104 * 4),
      };
    };
    const [chest, pelvis] = [await shares("chest"), await shares("pelvis")];
    assert.ok(chest.lung > pelvis.lung + 0.05, `${chest.lung}, ${pelvis.lung}`);
    for (const { air, soft, top } of [chest, pelvis]) {
      assert.ok(air > 0.15 && soft > 0.15, `${air}, ${soft}`);
      assert.ok(top.reduce((a, b) => a + b, 0) / top.length < -950);
    }
  },
);

withNetworks("the network for metal finds strong metal without its streaks, and none in a body without", async () => {
  if (!names.includes("metal")) return;
  const clean = await body();
  const mask = new Uint8Array(96 * 96).map((_, i) => (Math.hypot((i % 96) - 36, Math.floor(i / 96) - 52) < 4 ? 1 : 0));
  const geometry = virtualScan([96, 96], [2, 2]);
  const physics = parsePhysics({ metal: { material: "steel", edge: "none" }, photons: 1e6 });
  const scan = await simulateScan(clean, { geometry, physics, metalMask: volume(mask, [96, 96]), seed: 1 });
  const streaky = await clip(await toHounsfield(await fbp(scan.sinogram, geometry), physics.muWater), -1024, 3071);
  const { trained } = await metalModel("metal");
  const found = await segmentMetalByNetwork(streaky, trained, { threads: 1 });
  const [byNetwork] = await dice(found.metal, volume(mask, [96, 96]));
  const [byThreshold] = await dice((await segmentMetal(streaky)).metal, volume(mask, [96, 96]));
  assert.ok(byNetwork! > 0.8, `Dice ${byNetwork}, threshold ${byThreshold}`);
  assert.ok(byNetwork! >= byThreshold! - 0.02, `Dice ${byNetwork}, threshold ${byThreshold}`);
  assert.deepEqual((await segmentMetalByNetwork(clean, trained, { threads: 1 })).pixels, [0]);
});

suite.run();
