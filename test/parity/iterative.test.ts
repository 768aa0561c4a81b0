/** Iterative reconstruction against the same iterations in double, for every beam, and what it promises about batches and bounds. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { parallelBeam } from "../../lib/tomography/geometry.ts";
import { type IterativeOptions, iterative } from "../../lib/tomography/iterative.ts";
import { project } from "../../lib/tomography/project.ts";
import { cglsOracle, sartOracle, tvEnergy } from "../oracle/iterative.ts";
import { assertClose, assertRejects, relativeError } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats, randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("iterative parity");
const geometry = smallGeometries["parallel 180"]!;

/** Two discs on a slope: edges, and something in every pixel. */
function phantom([rows, columns]: readonly [number, number]): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const y = Math.floor(i / columns) / rows - 0.5;
    const x = (i % columns) / columns - 0.5;
    return 0.01 * (1 + x) + (Math.hypot(x, y) < 0.4 ? 0.02 : 0) + (Math.hypot(x - 0.1, y + 0.15) < 0.1 ? 0.02 : 0);
  });
}

async function measured(of = geometry, noise = 0) {
  const image = phantom(of.image.shape);
  const { data, shape } = await project(volume(image, of.image.shape), of);
  const next = randomSource(3);
  return {
    image,
    sinogram: volume(
      data.map((p) => p + noise * (next() - 0.5)),
      shape,
    ),
  };
}

for (const [name, of] of Object.entries(smallGeometries)) {
  test(`${name}: SIRT`, async () => {
    const { sinogram } = await measured(of);
    const { image } = await iterative(sinogram, of, { method: "sirt", iterations: 4 });
    // float32 projections of 1e-6, amplified by what is left to correct
    assert.ok(relativeError(image.data, sartOracle(sinogram.data, of, { iterations: 4 })) < 5e-6);
  });

  test(`${name}: OS-SART with bounds`, async () => {
    const { sinogram } = await measured(of);
    const subsets = Math.min(5, of.angles.length);
    const bounds = { iterations: 2, subsets, relaxation: 0.7, low: 0.005, high: 0.03 };
    const { image } = await iterative(sinogram, of, { method: "os-sart", ...bounds });
    assert.ok(relativeError(image.data, sartOracle(sinogram.data, of, bounds)) < 5e-6);
  });

  test(`${name}: CGLS`, async () => {
    const { sinogram } = await measured(of);
    const { image, residuals } = await iterative(sinogram, of, { method: "cgls", iterations: 5 });
    // conjugate directions lose a digit of float32 to the conditioning
    if (of.angles.length > 1) assert.ok(relativeError(image.data, cglsOracle(sinogram.data, of, 5)) < 1e-4);
    assert.is(residuals.data[0], 1);
    for (let k = 1; k < 5; k++) assert.ok(!(residuals.data[k]! > residuals.data[k - 1]! + 1e-6));
  });
}

test("SART: as many subsets as views", async () => {
  const { sinogram } = await measured();
  const given = { iterations: 1, subsets: geometry.angles.length, relaxation: 0.5 };
  const { image } = await iterative(sinogram, geometry, { method: "os-sart", ...given });
  assert.ok(relativeError(image.data, sartOracle(sinogram.data, geometry, given)) < 5e-6);
});

test("SART whose column sums are not kept is the same, a view after the other", async () => {
  const shape = [2048, 1800] as const; // five times as many pixels are more than is kept
  const angles = [10, 50, 85, 120, 160];
  const wide = (list: readonly number[]) =>
    parallelBeam({ bins: 90, binMm: 25, angles: list, image: { shape, pixelMm: 1 } });
  const sinogram = randomFloats(2 * angles.length * 90, 5);
  const mask = Uint8Array.from({ length: 2048 * 1800 }, (_, i) => (i % 11 > 0 ? 1 : 0));
  const given = { iterations: 1, relaxation: 0.5, mask: volume(mask, shape) };
  const all = await iterative(volume(sinogram, [2, 5, 90]), wide(angles), { method: "os-sart", subsets: 5, ...given });
  for (const s of [0, 1]) {
    let start = volume(new Float32Array(2048 * 1800), shape);
    for (const t of [0, 4, 2, 1, 3]) {
      const one = volume(sinogram.subarray((s * 5 + t) * 90, (s * 5 + t + 1) * 90), [1, 90]);
      start = (await iterative(one, wide([angles[t]!]), { method: "sirt", start, ...given })).image;
    }
    assert.ok(relativeError(all.image.data.subarray(s * 2048 * 1800, (s + 1) * 2048 * 1800), start.data) < 1e-6);
  }
});

test("start image and mask", async () => {
  const { sinogram, image: truth } = await measured();
  const mask = Uint8Array.from(truth, (v, i) => (v > 0.02 && i % 7 > 0 ? 1 : 0));
  const start = truth.map((v) => v + 0.003);
  const given = { iterations: 3, mask, start };
  const { image } = await iterative(sinogram, geometry, {
    method: "sirt",
    iterations: 3,
    mask: volume(mask, geometry.image.shape),
    start: volume(start, geometry.image.shape),
  });
  assert.ok(relativeError(image.data, sartOracle(sinogram.data, geometry, given)) < 5e-6);
  for (const method of ["cgls", "tv", "os-sart"] as const) {
    const masked = { method, iterations: 3, mask: volume(mask, geometry.image.shape) };
    const { image: kept } = await iterative(sinogram, geometry, masked);
    assert.ok(
      kept.data.every((v, i) => mask[i]! > 0 || v === 0),
      method,
    );
    assert.ok(
      kept.data.some((v) => v > 0.01),
      method,
    );
  }
});

test("slices of a batch are as they are alone; one that is done early stays", async () => {
  const { sinogram } = await measured(geometry, 0.01);
  const size = sinogram.data.length;
  const batch = new Float32Array(19 * size);
  for (let s = 0; s < 19; s++)
    batch.set(
      sinogram.data.map((p, i) => p * (1 + s) + (s % 3) * 0.05 * (i % 2)),
      s * size,
    );
  const shape = [19, ...sinogram.shape];
  const cases: IterativeOptions[] = [
    { method: "sirt", iterations: 12, tolerance: 0.05 },
    { method: "os-sart", iterations: 8, subsets: 4, tolerance: 0.02 },
    { method: "cgls", iterations: 6, tolerance: 0.03 },
    { method: "tv", iterations: 12, tolerance: 0.05, low: 0 },
  ];
  for (const options of cases) {
    const all = await iterative(volume(batch, shape), geometry, options);
    const lengths = new Set<number>();
    for (const s of [0, 1, 2, 16, 18]) {
      const alone = await iterative(
        volume(batch.subarray(s * size, (s + 1) * size), sinogram.shape),
        geometry,
        options,
      );
      assertClose(all.image.data.subarray(s * 1024, (s + 1) * 1024), alone.image.data, { rtol: 1e-6 }, options.method);
      assertClose(
        all.residuals.data.subarray(s * options.iterations, (s + 1) * options.iterations),
        alone.residuals.data,
        { rtol: 1e-6 },
      );
      const done = alone.residuals.data.findIndex((r) => Number.isNaN(r));
      lengths.add(done);
    }
    assert.ok(lengths.size > 1, `${options.method}: all slices took equally long: ${[...lengths]}`);
  }
});

test("TV finds the least energy", async () => {
  const { sinogram } = await measured(geometry, 0.05);
  const weight = 3e-5;
  const options = { method: "tv", iterations: 300, weight, weightSteps: 20 } as const;
  const { image } = await iterative(sinogram, geometry, options);
  const least = tvEnergy(image.data, sinogram.data, geometry, weight);
  // no small change makes it less: 1e-6 of it is what float32 leaves
  const next = randomSource(5);
  for (let k = 0; k < 15; k++) {
    const around = [next() * 32, next() * 32, 1 + next() * 8] as const;
    const size = (next() - 0.5) * 2e-4;
    const other = image.data.map((v, i) =>
      Math.hypot(Math.floor(i / 32) - around[0], (i % 32) - around[1]) < around[2] ? v + size : v,
    );
    assert.ok(tvEnergy(other, sinogram.data, geometry, weight) > least * (1 - 1e-6), `${around}, ${size}`);
  }
  const few = await iterative(sinogram, geometry, { ...options, iterations: 60 });
  assert.ok(tvEnergy(few.image.data, sinogram.data, geometry, weight) < least * 1.005);
});

test("the Fourier route goes the same way", async () => {
  const { sinogram, image: truth } = await measured();
  for (const method of ["sirt", "cgls", "tv"] as const) {
    const options = { method, iterations: 10 } as const;
    const direct = await iterative(sinogram, geometry, options);
    const fourier = await iterative(sinogram, geometry, { ...options, route: "fourier" });
    // a phantom of hard edges: the projectors differ by percents there
    assert.ok(relativeError(fourier.image.data, direct.image.data) < 0.05, method);
    assert.ok(relativeError(fourier.image.data, truth) < 0.25, method);
  }
});

test("progress tells of the residual; the last event is complete; abort", async () => {
  const { sinogram } = await measured();
  const seen: { iteration: number; residual: number; done: number; total: number }[] = [];
  await iterative(sinogram, geometry, { method: "sirt", iterations: 30, onProgress: (p) => seen.push(p) });
  const last = seen.at(-1)!;
  assert.is(last.done, last.total);
  assert.is(last.iteration, 30);
  assert.ok(last.residual < 0.1);
  const controller = new AbortController();
  const long = iterative(sinogram, geometry, {
    method: "sirt",
    iterations: 1e6,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error("enough")),
  }).then(
    () => "finished",
    (error: Error) => error.message,
  );
  assert.is(await long, "enough");
});

test("what is refused", async () => {
  const { sinogram } = await measured();
  const sirt = { method: "sirt", iterations: 1 } as const;
  const refuse = (options: object, code: string, of = geometry) =>
    assertRejects(() => iterative(sinogram, of, { ...sirt, ...options }), code);
  await refuse({ method: "art" }, "ERR_SINO_OUT_OF_RANGE");
  await refuse({ iterations: 0 }, "ERR_SINO_OUT_OF_RANGE");
  await refuse({ iterations: undefined }, "ERR_SINO_ARG_TYPE");
  await refuse({ relaxation: 2 }, "ERR_SINO_OUT_OF_RANGE");
  await refuse({ low: 1, high: 0 }, "ERR_SINO_OUT_OF_RANGE");
  await refuse({ method: "cgls", low: 0 }, "ERR_SINO_UNSUPPORTED");
  await refuse({ subsets: 4 }, "ERR_SINO_UNSUPPORTED");
  await refuse({ method: "os-sart", subsets: 32 }, "ERR_SINO_OUT_OF_RANGE");
  await refuse({ method: "os-sart", route: "fourier" }, "ERR_SINO_UNSUPPORTED");
  await refuse({ mask: volume(new Uint8Array(4), [2, 2]) }, "ERR_SINO_SHAPE");
  await refuse({ start: volume(new Float32Array(2048), [2, 32, 32]) }, "ERR_SINO_SHAPE");
  await refuse({ start: volume(new Float32Array(1024).fill(Number.NaN), [32, 32]) }, "ERR_SINO_OUT_OF_RANGE");
  const broken = volume(sinogram.data.with(5, Number.NaN), sinogram.shape);
  await assertRejects(() => iterative(broken, geometry, sirt), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
