/** Outputs appear together or not at all. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import {
  checkFileTarget,
  checkFolderTarget,
  checkReportTargets,
  withFileOutputs,
  withFolderOutput,
} from "../../lib/cli/outputs.ts";
import { sidecarPath } from "../../lib/cli/sidecar.ts";
import { volume } from "../../lib/core/arrays.ts";
import { readNpy } from "../../lib/data/npy.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("cli outputs");
const never = new AbortController().signal;
const image = volume(Float32Array.of(1, 2, 3, 4), [2, 2]);

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("did not reject");
}

test("files are put in place together", async () => {
  const folder = temporaryFolder();
  const paths = await withFileOutputs(never, async (outputs) => {
    await outputs.array(join(folder, "a.npy"), image);
    await outputs.array(join(folder, "b.npz:key"), image);
    await outputs.file(join(folder, "c.txt"), "text");
    assert.not.ok(existsSync(join(folder, "a.npy")));
  });
  assert.equal(
    paths,
    ["a.npy", "b.npz", "c.txt"].map((name) => join(folder, name)),
  );
  assert.equal(readdirSync(folder).sort(), ["a.npy", "b.npz", "c.txt"]);
  assert.equal([...(await readNpy(join(folder, "a.npy"))).array.data], [1, 2, 3, 4]);
});

test("a failure or an abort puts nothing in place and keeps what was there", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "a.npy"), "earlier");
  const controller = new AbortController();
  const failed = new Error("no");
  const write = (after: () => void) =>
    withFileOutputs(controller.signal, async (outputs) => {
      await outputs.array(join(folder, "a.npy"), image);
      await outputs.file(join(folder, "c.txt"), "text");
      after();
    });
  assert.is(
    await rejection(
      write(() => {
        throw failed;
      }),
    ),
    failed,
  );
  const reason = new Error("stop");
  assert.is(await rejection(write(() => controller.abort(reason))), reason);
  assert.equal(readdirSync(folder), ["a.npy"]);
  assert.is(readFileSync(join(folder, "a.npy"), "utf8"), "earlier");
});

test("a folder appears whole, or not at all", async () => {
  const folder = temporaryFolder();
  const target = join(folder, "out");
  const fill = (text: string) => (temporary: string) => {
    assert.ok(temporary !== target);
    writeFileSync(join(temporary, "0001.dcm"), text);
    return Promise.resolve();
  };
  await withFolderOutput(target, never, fill("first"));
  assert.is(readFileSync(join(target, "0001.dcm"), "utf8"), "first");
  writeFileSync(join(target, "0002.dcm"), "of an earlier run");
  writeFileSync(join(target, "notes.txt"), "mine");
  const failed = new Error("no");
  await rejection(withFolderOutput(target, never, () => Promise.reject(failed)));
  assert.equal(readdirSync(target).sort(), ["0001.dcm", "0002.dcm", "notes.txt"]);
  await withFolderOutput(target, never, fill("second"));
  assert.equal(readdirSync(target).sort(), ["0001.dcm", "notes.txt"]);
  assert.is(readFileSync(join(target, "0001.dcm"), "utf8"), "second");
  assert.equal(readdirSync(folder), ["out"]);
});

test("targets are checked before the work", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "full"));
  writeFileSync(join(folder, "full", "x"), "");
  mkdirSync(join(folder, "empty"));
  await checkFileTarget(join(folder, "new.npy"));
  await checkFolderTarget(join(folder, "empty"), false);
  await checkFolderTarget(join(folder, "full"), true);
  for (const [check, sentence] of [
    [() => checkFileTarget(join(folder, "full")), /it is a folder/],
    [() => checkFileTarget(join(folder, "none", "new.npy")), /does not exist/],
    [
      () => checkFileTarget(join(folder, "full", "x"), [join(folder, "full", "..", "full", "x")]),
      /input of this command/,
    ],
    [() => checkFileTarget("/dev/null"), /not a regular file/],
    [() => checkFolderTarget(join(folder, "full"), false), /--overwrite/],
    [() => checkFolderTarget(join(folder, "full", "x"), true), /not a folder/],
  ] as const)
    assert.match((await rejection(check())).message, sentence);
});

test("a record goes beside its output, in no other file's place", async () => {
  const folder = temporaryFolder();
  const at = (name: string) => join(folder, name);
  assert.is(await sidecarPath(at("i.npy"), []), at("i.json"));
  assert.is(await sidecarPath(at("i.nii.gz"), []), at("i.json"));
  writeFileSync(at("i.json"), '{"software":"sinogram"}');
  assert.is(await sidecarPath(at("i.npy"), []), at("i.json"));
  assert.is(await sidecarPath(at("i.npy"), [at("i.json")]), at("i.npy.json"));
  writeFileSync(at("i.json"), "something else");
  assert.is(await sidecarPath(at("i.npy"), []), at("i.npy.json"));
});

test("an array inside a file, and a picture of a report, are inputs that are not replaced either", async () => {
  const folder = temporaryFolder();
  for (const name of ["scan.npz", "before.png"]) writeFileSync(join(folder, name), "");
  const target = join(folder, "scan.npz");
  assert.match((await rejection(checkFileTarget(target, [`${target}:image`]))).message, /input of this command/);
  const picture = join(folder, "before.png");
  assert.match((await rejection(checkReportTargets(target, [picture]))).message, /before\.png: it is an input/);
  await checkReportTargets(target, [target]);
});

test.run();
