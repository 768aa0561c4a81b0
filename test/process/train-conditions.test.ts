/** Networks that are told a class and a number of each image: trained on pairs, applied, and what cannot be told. */

import { join } from "node:path";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { writeArray } from "../../lib/data/array-files.ts";
import { applyTrained, loadTrained } from "../../lib/models/index.ts";
import { parseTraining, train } from "../../lib/training/index.ts";
import { assertRejects } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("train-conditions");
const withRuntime = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);

withRuntime("what is said of an image decides what is made of it", async () => {
  const folder = temporaryFolder();
  const at = (name: string) => join(folder, name);
  const [n, pixels] = [24, 64];
  const input = randomFloats(n * pixels, 1);
  const classOf = (i: number) => i % 2;
  const numberOf = (i: number) => ((i >> 1) % 3) - 1;
  // class 1 turns the image around, the value is added: nobody can guess either from the image
  const made = (x: number, i: number) => (classOf(i) === 1 ? -x : x) + numberOf(i);
  const target = input.map((x, k) => made(x, Math.floor(k / pixels)));
  const index = Float32Array.from({ length: n }, (_, i) => i);
  await writeArray(at("input.npy"), volume(input, [n, 8, 8]));
  await writeArray(at("target.npy"), volume(target, [n, 8, 8]));
  await writeArray(at("classes.npy"), volume(index.map(classOf), [n]));
  await writeArray(at("values.npy"), volume(index.map(numberOf), [n, 1]));
  const network = { kind: "unet", inChannels: 1, outChannels: 1, channels: [8], blocks: 1, classes: 2, values: 1 };
  const files = {
    input: at("input.npy"),
    target: at("target.npy"),
    classes: at("classes.npy"),
    values: at("values.npy"),
  };
  const settings = { steps: 150, batch: 12, optimizer: { rate: 0.02, clip: 1 }, schedule: { kind: "cosine" } };
  const config = { network, data: { ...files, validation: 0, drop: 0.05 }, ...settings, threads: 1, average: 0 };
  await train(parseTraining(config), { folder: at("run") });
  const trained = await loadTrained(at("run"));
  const images = volume(input.slice(0, 6 * pixels), [6, 8, 8]);
  const told = { classes: [0, 1, 0, 1, 0, 1], values: [[-1], [-1], [0], [0], [1], [1]], threads: 1, batch: 4 };
  const right = await applyTrained(trained, images, told);
  const rms = (data: Float32Array) => Math.hypot(...data.map((y, k) => y - target[k]!)) / Math.sqrt(data.length);
  assert.ok(rms(right.data as Float32Array) < 0.35, `${rms(right.data as Float32Array)}`);
  const swapped = await applyTrained(trained, images, { ...told, classes: [1, 0, 1, 0, 1, 0] });
  assert.ok(rms(swapped.data as Float32Array) > 2 * rms(right.data as Float32Array));
  const silent = await applyTrained(trained, images, { threads: 1 });
  assert.equal(silent.shape, [6, 8, 8]);
  assert.ok(rms(silent.data as Float32Array) > 2 * rms(right.data as Float32Array));
  const refused = async (options: object, code: string, words: RegExp) => {
    const { message } = await assertRejects(() => applyTrained(trained, images, options), code);
    assert.match(message, words);
  };
  await refused({ classes: [0, 1] }, "ERR_SINO_SHAPE", /classes of 6 images but received those of 2/);
  await refused({ classes: [0, 1, 2, 0, 0, 0] }, "ERR_SINO_OUT_OF_RANGE", /from 0 to 1 but received 2/);
  await refused({ values: Array(6).fill([1, 2]) }, "ERR_SINO_SHAPE", /1 finite values/);
  await refused({ values: Array(6).fill([Number.NaN]) }, "ERR_SINO_OUT_OF_RANGE", /1 finite values/);
});

test.run();
