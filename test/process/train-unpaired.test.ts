/** Two looks without pairs: one becomes the other, a resumed run ends with the same bits, and what does not go together is refused. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { writeArray } from "../../lib/data/array-files.ts";
import { readSafetensors } from "../../lib/data/safetensors.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { combine } from "../../lib/image/pixels.ts";
import { rmse } from "../../lib/metrics/index.ts";
import { applyTrained, loadTrained } from "../../lib/models/index.ts";
import { normalNoise } from "../../lib/physics/noise.ts";
import { parseTraining, type TrainingEvent, train } from "../../lib/training/index.ts";
import { assertClose } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("unpaired");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
const [first, second] = [join(base, "a.npy"), join(base, "b.npy")];

/** Smooth images of deviation 1. */
async function images(count: number, side: number, seed: number): Promise<Volume> {
  const white = await normalNoise([count, side, side], { seed });
  return combine([[2 * Math.sqrt(Math.PI) * 2, await gaussian(white, { sigma: 2 })]]);
}

/** The other look: less contrast, brighter. */
const other = (look: Volume): Promise<Volume> => combine([[0.5, look]], { offset: 1 });

const settings = {
  task: "unpaired",
  network: { kind: "dncnn", inChannels: 1, depth: 3, channels: 8, norm: "none" },
  data: { input: first, target: second, patch: [16, 16], validation: 0.25, flip: true, turn: true },
  loss: {
    cycle: 2,
    // both looks share many values, so that what looks right here and there is not the same
    identity: 0,
    adversarial: { network: { kind: "patchgan", inChannels: 1, channels: 8, layers: 1, norm: "none" }, weight: 1 },
  },
  optimizer: { rate: 3e-3, beta1: 0.5 },
  average: 0.95,
  steps: 300,
  batch: 4,
  seed: 1,
  validateEvery: 100,
  threads: 1,
};

const mean = (list: Float64Array) => list.reduce((a, b) => a + b, 0) / list.length;

async function prepare(): Promise<void> {
  await writeArray(first, await images(16, 24, 1));
  await writeArray(second, await other(await images(10, 32, 2)));
}

test("what is made of one look is nearer to the other, and comes back", async () => {
  await prepare();
  const folder = join(base, "run");
  await train(parseTraining(settings), { folder });
  const seen = await images(4, 40, 3);
  const wanted = await other(seen);
  const made = await applyTrained(await loadTrained(folder), seen, { threads: 1 });
  const back = await applyTrained(await loadTrained(join(folder, "back")), made, { threads: 1 });
  const [before, after] = [mean(await rmse(seen, wanted)), mean(await rmse(made, wanted))];
  assert.ok(after < 0.4 * before, `${after} of ${before}`);
  const lost = mean(await rmse(back, seen));
  assert.ok(lost < 0.3, String(lost));
  const cards = ["", "back"].map((name) => readFile(join(folder, name, "model.json"), "utf8"));
  const [there, again] = (await Promise.all(cards)).map((text) => JSON.parse(text));
  assert.deepEqual([there.training.data.input, again.training.data.input], [first, second]);
  // nothing without critics says which weights are good, so the last are kept
  assert.equal(there.metrics.step, settings.steps);
});

test("stopped and resumed ends with the same bits; both networks start from given weights", async () => {
  await prepare();
  const short = { ...settings, steps: 6, validateEvery: 3, network: { ...settings.network, norm: "batch" } };
  const [whole, cut, later] = ["whole", "cut", "later"].map((name) => join(base, name)) as [string, string, string];
  await train(parseTraining(short), { folder: whole });
  await train(parseTraining({ ...short, steps: 3 }), { folder: cut });
  await train(parseTraining(short), { folder: cut, resume: true });
  for (const name of ["checkpoint.safetensors", "weights.safetensors", "model.onnx", "back/model.onnx"])
    assert.ok((await readFile(join(cut, name))).equals(await readFile(join(whole, name))), name);
  const from = join(whole, "weights.safetensors");
  await train(parseTraining({ ...short, from, steps: 1, optimizer: { rate: 1e-9 }, average: 0 }), { folder: later });
  const start = await readSafetensors(from);
  for (const folder of [later, join(later, "back")]) {
    const { data } = (await readSafetensors(join(folder, "weights.safetensors"))).tensors.get("last.weight")!;
    assertClose(data as Float32Array, start.tensors.get("last.weight")!.data as Float32Array, { atol: 1e-7 });
  }
});

test("critics of detail do not see how bright images are", async () => {
  await writeArray(first, await images(4, 24, 1));
  // does nothing yet
  const shared = { kind: "unet", inChannels: 1, outChannels: 1, blocks: 1, norm: "none", residual: true } as const;
  const critic = async (detail: number | undefined, offset: number) => {
    await writeArray(second, await combine([[1, await images(4, 24, 2)]], { offset }));
    const adversarial = { ...settings.loss.adversarial, detail };
    let found = Number.NaN;
    const onEvent = (event: TrainingEvent) => {
      found = event.critic!;
    };
    const network = { ...shared, channels: [4] };
    const config = parseTraining({ ...settings, network, steps: 1, loss: { adversarial } });
    await train(config, { folder: join(base, `${detail}${offset}`), onEvent });
    return found;
  };
  // sums of 25 numbers of a few units in float32
  assert.ok(Math.abs((await critic(5, 0)) - (await critic(5, 3))) < 1e-4);
  assert.ok(Math.abs((await critic(undefined, 0)) - (await critic(undefined, 3))) > 1e-2);
});

test("sets that cannot be learned from each other are refused", async () => {
  await writeArray(first, await images(4, 24, 1));
  await writeArray(second, volume(new Float32Array(2 * 3 * 24 * 24), [2, 3, 24, 24]));
  const folder = join(base, "none");
  await assert.rejects(train(parseTraining(settings), { folder }), /b\.npy expected 1 channel, .* has 3/);
  await writeArray(second, await images(4, 12, 2));
  await assert.rejects(train(parseTraining(settings), { folder }), /patch within \[12, 12\] .* received \[16, 16\]/);
});

suite("what unpaired images do not go with is refused in words", () => {
  const refused = (change: object, words: RegExp) =>
    assert.throws(() => parseTraining({ ...settings, ...change }), { code: "ERR_SINO_IO_FORMAT", message: words });
  const { loss, data } = settings;
  refused({ data: { ...data, target: undefined } }, /expected data\.target/);
  refused({ loss: undefined }, /expected loss\.adversarial, a critic/);
  refused({ loss: { ...loss, l1: 1 } }, /no pairs to compare: cycle and identity instead of l1/);
  refused({ loss: { ...loss, cycl: 1 } }, /Did you mean cycle\?/);
  refused({ loss: { ...loss, cycle: 0 } }, /at loss\.cycle/);
  refused({ task: "regression" }, /the loss cycle is of images without pairs: it needs the task unpaired/);
  refused({ data: { ...data, zoom: [1, 2] } }, /zoom would change that; leave out data\.zoom/);
  refused({ data: { ...data, classes: "c.npy" } }, /leave out data\.classes/);
  refused({ data: { ...data, validation: "v.npy" } }, /data\.validation as a share/);
  refused({ network: { kind: "srresnet", inChannels: 1 } }, /makes images of images/);
  refused({ patience: 3 }, /patience waits for a smaller loss of validation/);
  refused({ teacher: "x" }, /task regression/);
});

suite.run();
