/** `sinogram sample` through the stages that a card names: small slices, enlarged, and taken through another network's noise. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as assert from "uvu/assert";
import { type ArrayLike, volume } from "../../lib/core/arrays.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { generate, namedConditions, openStages } from "../../lib/generate/index.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { combine } from "../../lib/image/pixels.ts";
import { resample } from "../../lib/image/resample.ts";
import { rmse } from "../../lib/metrics/index.ts";
import { loadTrained } from "../../lib/models/index.ts";
import { assertClose, assertRejects as rejected } from "../support/assert-close.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { writeModel } from "../support/models.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("sample through stages");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
let made = 0;
const fresh = () => join(base, String(made++));

const shared = { kind: "unet", inChannels: 1, outChannels: 1, blocks: 1 } as const;
const finder = { ...shared, channels: [4, 6], time: true, classes: 2, values: 1 } as const;
const keeper = { ...shared, channels: [4], norm: "none", residual: true } as const;

/** A network that finds noise in slices of 16 × 16, with stages. */
const drawing = (stages?: unknown, card: object = {}, network: typeof finder = finder): Promise<string> => {
  const data = { offset: 500, factor: 1 / 1500 };
  const training = { task: "diffusion", data, diffusion: { kind: "cosine", steps: 100, prediction: "v", shift: 0.5 } };
  const conditions = { bodyPart: ["head", "chest"], position: { offset: -0.5, factor: 2, range: [0, 1] } };
  return writeModel(fresh(), {
    ...{ network, deviation: 0.2 },
    card: { input: { shape: [1, 1, 16, 16] }, training, conditions, stages, ...card },
  });
};
/** One that enlarges by interpolation alone. */
const enlarging = (factor = 2) => writeModel(fresh(), { network: keeper, card: { factor } });

const assertRejects = async (action: () => unknown, code: string, pattern: RegExp) =>
  assert.match((await rejected(action, code)).message, pattern);

const open = async (folder: string) => {
  const trained = await loadTrained(folder);
  return { trained, stages: await openStages(trained, folder) };
};

test("slices are enlarged stage by stage, each on its own, and redrawn with noise of their own", async () => {
  const double = await enlarging();
  const { trained, stages } = await open(await drawing([double, double]));
  const options = { seed: 3, steps: 3 };
  const three = await generate(trained, { ...options, count: 3, stages });
  assert.equal([...three.shape], [3, 64, 64]);
  const plain = await generate(trained, { ...options, count: 3 });
  assert.equal([...plain.shape], [3, 16, 16]);
  // Catmull-Rom keeps what is constant, and nearly the means of what is not
  const again = await resample(three, { shape: [16, 16], method: "area" });
  (await rmse(again, plain)).forEach((error, i) => {
    const slice = plain.data.subarray(i * 256, (i + 1) * 256);
    const mean = slice.reduce((a, b) => a + b, 0) / 256;
    const deviation = Math.sqrt(slice.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 256);
    assert.ok(error < 0.5 * deviation, `${error} of ${deviation} HU`);
  });
  const one = await generate(trained, { ...options, count: 1, stages });
  // another batch may be summed in another order: 1e-5 of 1500 HU
  assertClose(three.data.subarray(0, one.data.length), one.data, { atol: 0.02 });

  const redrawn = await open(await drawing([double, { model: await drawing(), strength: 0.3, steps: 3 }]));
  const other = await generate(redrawn.trained, { ...options, count: 1, stages: redrawn.stages });
  assert.equal([...other.shape], [1, 32, 32]);
  const soft = await open(await drawing([{ model: double, smooth: 1 }]));
  const smooth = await generate(soft.trained, { ...options, count: 3, stages: soft.stages });
  const blurred = await gaussian(plain, { sigma: 1 });
  assert.ok((await rmse(await resample(smooth, { shape: [16, 16], method: "area" }), blurred)).every((e) => e < 40));

  const enlarged = await open(await drawing([double]));
  const before = await generate(enlarged.trained, { ...options, count: 1, stages: enlarged.stages });
  assert.ok(other.data.some((v, i) => Math.abs(v - before.data[i]!) > 20));
});

test("stages are found beside the card's folder, too", async () => {
  const double = await enlarging();
  const { stages } = await open(await drawing([`../${basename(double)}`]));
  assert.equal(
    stages.map(({ factor }) => factor),
    [2],
  );
});

test("images to start from have the size of the first network or of the last", async () => {
  const { trained, stages } = await open(await drawing([await enlarging()]));
  const detailed = volume(randomFloats(32 * 32, 1), [1, 32, 32]);
  const images = await combine([[400, detailed]]);
  const draw = (start: ArrayLike) => generate(trained, { seed: 1, steps: 2, strength: 0.1, stages, start });
  const small = await draw(await resample(images, { shape: [16, 16], method: "area" }));
  const large = await draw(images);
  assert.equal([...small.shape], [1, 32, 32]);
  assertClose(large.data, small.data, { atol: 1e-2 });
  await assertRejects(
    () => draw(volume(new Float32Array(24 * 24), [1, 24, 24])),
    "ERR_SINO_SHAPE",
    /of 32 × 32 or 16 × 16 to start from but received 24 × 24/,
  );
});

test("stages that are missing, no stages, or of sizes that do not fit are refused before anything is drawn", async () => {
  const refused = async (stages: unknown, code: string, pattern: RegExp) =>
    assertRejects(async () => open(await drawing(stages)), code, pattern);
  await refused(["nowhere"], "ERR_SINO_MODEL", /go on to nowhere, which is missing: put it at .*nowhere, or draw/);
  await refused([await enlarging(1)], "ERR_SINO_MODEL", /keeps the size of images/);
  await refused([await drawing()], "ERR_SINO_MODEL", /expected a strength/);
  await refused("super-resolve-2", "ERR_SINO_IO_FORMAT", /expected "stages" to list names/);
  await refused([{ model: "a", strength: "1" }], "ERR_SINO_IO_FORMAT", /"strength":"1"/);
  const coarse = await writeModel(fresh(), {
    network: { ...shared, channels: [4], unshuffle: 5, time: true },
    size: 20,
    card: { training: { task: "diffusion", data: {} } },
  });
  const { trained, stages } = await open(await drawing([{ model: coarse, strength: 0.2 }]));
  let runs = 0;
  const onProgress = () => runs++;
  await assertRejects(
    () => generate(trained, { seed: 1, stages, onProgress }),
    "ERR_SINO_SHAPE",
    /multiples of 5 for .* but received 16 × 16/,
  );
  assert.is(runs, 0);
});

test("conditions outside of what was learned are refused", async () => {
  const trained = await loadTrained(await drawing());
  assert.equal(namedConditions(trained, { bodyPart: "chest", position: "0.25" }), { class: 1, values: [1.5] });
  for (const [given, code, pattern] of [
    [{ position: "1.5" }, "ERR_SINO_OUT_OF_RANGE", /never learned position=1.5: expected a number from 0 to 1/],
    [{ bodyPart: "knee" }, "ERR_SINO_UNSUPPORTED", /never learned bodyPart=knee: it has bodyPart \(head, chest\)/],
    [{ age: "60" }, "ERR_SINO_UNSUPPORTED", /never learned age/],
  ] as const)
    await assertRejects(async () => namedConditions(trained, given as never), code, pattern);
});

test("the command draws through the stages, records them, and can leave them out", async () => {
  const model = await drawing([await enlarging()]);
  const learned = join(base, "learned.npy");
  await mkdir(base, { recursive: true });
  await writeNpy(learned, volume(new Float32Array(3 * 32 * 32), [3, 32, 32]));
  const words = ["sample", "--model", model, "--seed", "7", "-n", "2", "--steps", "2", "--format", "npy", "--quiet"];
  const chest = [...words, "--condition", "bodyPart=chest,position=0.5"];
  const [out, small] = [fresh(), fresh()];
  const { code, stdout, stderr } = await cli(...chest, "--compare", learned, "-o", out);
  assert.is(code, 0, stderr);
  assert.match(stdout, /nearest learned slice[\s\S]*Fréchet distance/);
  assert.equal([...(await readNpy(join(out, "samples.npy"))).array.shape], [2, 32, 32]);
  const record = JSON.parse(await readFile(join(out, "sinogram.json"), "utf8"));
  assert.is(record.stages.length, 1);
  assert.is((await cli(...chest, "--no-stages", "-o", small)).code, 0);
  assert.equal([...(await readNpy(join(small, "samples.npy"))).array.shape], [2, 16, 16]);
  const absent = fresh();
  const missing = await cli("sample", "--model", await drawing(["absent"]), "--seed", "1", "-o", absent);
  assert.is.not(missing.code, 0);
  assert.match(missing.stderr, /go on to absent, which is missing/);
  assert.is((await readdir(base)).includes(basename(absent)), false);
});

suite.run();
