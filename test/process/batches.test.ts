/** Batches prepared ahead in a thread of their own: the same as those made here, few at a time, and a failure arrives. */
import assert from "node:assert/strict";
import { Ahead } from "../../lib/training/ahead.ts";
import { Batches, type Dataset } from "../../lib/training/batches.ts";
import type { TrainingConfig } from "../../lib/training/config.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batches");

const config: TrainingConfig = {
  network: { kind: "dncnn", inChannels: 1 },
  data: { input: "unused.npy", flip: true, rotate: 10, zoom: [0.9, 1.1], gain: [0.9, 1.1], shift: 0.1, noise: 0.2 },
  steps: 30,
  batch: 3,
  seed: 7,
};

function dataset(): Dataset {
  const data = new Float32Array(new SharedArrayBuffer(4 * 10 * 12 * 14));
  data.set(randomFloats(data.length, 1));
  const input = { count: 10, channels: 1, size: [12, 14], data };
  return {
    input,
    target: undefined,
    labels: {},
    trainCount: 8,
    validationCount: 2,
    patch: [6, 5],
    seen: [11, 11],
    factor: 1,
  };
}

const plain = (feeds: Record<string, { data: ArrayLike<unknown>; shape: readonly number[] }>) =>
  Object.entries(feeds).map(([name, { data, shape }]) => [name, shape, Array.from(data)]);

test("are those that each step's seed asks for, from any step on", async () => {
  const here = new Batches(config, dataset());
  const ahead = new Ahead({ config, dataset: dataset() }, 4, 12);
  try {
    for (let step = 4; step < 12; step++)
      assert.deepEqual(plain(await ahead.take(step)), plain(await here.train(step)), `step ${step}`);
  } finally {
    await ahead.close();
  }
});

test("are only a few at a time", async () => {
  const shared = dataset();
  const ahead = new Ahead({ config, dataset: shared }, 0, 30);
  try {
    const before = (await ahead.take(3)).input!.data.slice();
    // batches after step 3 + 3 were not asked for yet: they see what the samples are now
    await ahead.take(0);
    (shared.input.data as Float32Array).fill(9);
    const late = await ahead.take(8);
    assert.ok(
      (late.input!.data as Float32Array).every((v) => v === 9),
      "the thread works on the same memory",
    );
    assert.ok((before as Float32Array).every((v) => v !== 9));
  } finally {
    await ahead.close();
  }
});

test("a failure in the thread arrives with its code", async () => {
  const broken = { ...config, seed: 0.5 };
  const ahead = new Ahead({ config: broken, dataset: dataset() }, 0, 2);
  try {
    await assert.rejects(ahead.take(0), (error: { code?: string }) => /^ERR_SINO_/.test(error.code ?? ""));
  } finally {
    await ahead.close();
  }
});

test.run();
