/** Training on masks: probabilities in the units of the data, augmented without touching the masks, and what is refused. */
import { join } from "node:path";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { writeArray } from "../../lib/data/array-files.ts";
import { applyTrained, loadTrained, openModel } from "../../lib/models/index.ts";
import { restorationModel } from "../../lib/models/shipped.ts";
import { parseTraining, train } from "../../lib/training/index.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("train-segmentation");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const [n, side] = [16, 16];
const area = side * side;
/** A bright square on grey, somewhere else in every image, in values around 1000. */
const mask = Float32Array.from({ length: n * area }, (_, k) => {
  const [i, row, column] = [Math.floor(k / area), Math.floor(k / side) % side, k % side];
  const inside = (x: number, first: number) => x >= first && x < first + 4;
  return inside(row, (5 * i) % 12) && inside(column, (7 * i) % 12) ? 1 : 0;
});
const images = randomFloats(n * area, 1).map((v, k) => 1000 + 20 * v + 300 * mask[k]!);

const settings = (data: object) => ({
  task: "segmentation",
  network: { kind: "unet", inChannels: 1, outChannels: 1, channels: [6, 8], blocks: 1, norm: "none" },
  data: { input: at("images.npy"), target: at("masks.npy"), offset: 1100, factor: 0.005, validation: 0.125, ...data },
  optimizer: { rate: 0.01, clip: 1 },
  average: 0,
  steps: 80,
  batch: 8,
  validateEvery: 40,
  threads: 1,
});

await writeArray(at("images.npy"), volume(images, [n, side, side]));
await writeArray(at("masks.npy"), volume(mask, [n, side, side]));

test("a network learns masks, and is used in the units of its images", async () => {
  // changes of brightness that would make other masks of masks, and turns that would blur them
  const changes = { gain: [0.8, 1.25], shift: 0.2, flip: true, turn: true, rotate: 20, zoom: [0.9, 1.1] };
  const { best } = await train(parseTraining(settings(changes)), { folder: at("run") });
  assert.ok(best! < 0.4, `validation ${best}`);
  const trained = await loadTrained(at("run"));
  assert.is(trained.isSegmentation, true);
  const some = volume(images.slice(0, 4 * area), [4, side, side]);
  const { data } = await applyTrained(trained, some, { threads: 1 });
  assert.ok(data.every((p) => p >= 0 && p <= 1));
  const wrong = data.reduce((sum, p, k) => sum + (p >= 0.5 === (mask[k] === 1) ? 0 : 1), 0);
  assert.ok(wrong < 20, `${wrong} of ${data.length} pixels are wrong`);

  const model = await openModel(at("run/model.onnx"), { threads: 1 });
  try {
    const { y } = await model.run({ x: { data: images.slice(0, area), shape: [1, 1, side, side] } });
    // one image or four at once may be summed in another order
    assertClose(y!.data as Float32Array, data.subarray(0, area) as Float32Array, { atol: 1e-4 });
  } finally {
    await model.dispose();
  }
  const { message } = await assertRejects(() => restorationModel(at("run")), "ERR_SINO_MODEL");
  assert.match(message, /gives masks \(task segmentation\)/);
});

test("targets that are no masks are refused", async () => {
  const { message } = await assertRejects(
    () => train(parseTraining(settings({ target: at("images.npy") })), { folder: at("no") }),
    "ERR_SINO_OUT_OF_RANGE",
  );
  assert.match(message, /expected masks of 0 and 1 to segment by but element 0 is/);
});

suite.run();
