/** Training on a disk that fills up: it says so, the last checkpoint stays whole, and resuming ends with the same bits. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { writeArray } from "../../lib/data/array-files.ts";
import { startFaulty } from "../support/batch.ts";
import { cli, ended } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("train-faults");
const withRuntime = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);

const settings = {
  network: { kind: "dncnn", inChannels: 1, depth: 3, channels: 2 },
  data: { input: "noisy.npy", validation: 0.2 },
  batch: 2,
  validateEvery: 2,
  threads: 1,
};

withRuntime("a disk that is full while a checkpoint is written loses nothing", async () => {
  const base = temporaryFolder();
  await writeArray(join(base, "noisy.npy"), volume(randomFloats(5 * 64, 1), [5, 8, 8]));
  const config = join(base, "config.json");
  const upTo = (steps: number) => writeFile(config, JSON.stringify({ ...settings, steps }));
  const [whole, cut] = [join(base, "whole"), join(base, "cut")];
  await mkdir(cut);
  await upTo(2);
  for (const out of [whole, cut]) assert.equal((await cli("train", config, "-o", out)).code, 0);
  const before = await readFile(join(cut, "checkpoint.safetensors"));

  await upTo(4);
  const counted = await ended(startFaulty("count main 0", whole, "train", config, "-o", whole, "--resume"));
  assert.equal(counted.code, 0, counted.stderr);
  const at = /main (\d+) open \S*checkpoint\.safetensors/.exec(counted.stderr)?.[1];
  assert.ok(at, counted.stderr);

  const full = await ended(startFaulty(`full main ${at}`, cut, "train", config, "-o", cut, "--resume"));
  assert.notEqual(full.code, 0);
  assert.match(full.stderr, /checkpoint\.safetensors: the disk is full/);
  assert.ok(before.equals(await readFile(join(cut, "checkpoint.safetensors"))), "the checkpoint before it stays");
  assert.deepEqual(
    (await readdir(cut)).filter((name) => name.endsWith(".tmp")),
    [],
  );

  assert.equal((await cli("train", config, "-o", cut, "--resume")).code, 0);
  for (const name of ["checkpoint.safetensors", "weights.safetensors", "model.onnx"])
    assert.ok((await readFile(join(whole, name))).equals(await readFile(join(cut, name))), name);
});

test.run();
