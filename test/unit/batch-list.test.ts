/** Job lists and folders: what becomes a job, what is refused and in which words. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { discoverJobs } from "../../lib/batch/discover.ts";
import { readJobList } from "../../lib/batch/list.ts";
import { planJobs, shardOf } from "../../lib/batch/plan.ts";
import type { CodedError } from "../../lib/core/errors.ts";
import { smallGeometry, writeSeries, writeSinograms } from "../support/batch.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-list");
const folder = temporaryFolder();
const at = (...parts: string[]) => join(folder, ...parts);

async function errorOf(promise: Promise<unknown>): Promise<CodedError> {
  try {
    await promise;
  } catch (error) {
    return error as CodedError;
  }
  throw new Error("nothing was thrown");
}

function list(...lines: (object | string)[]): string {
  const path = at("jobs.jsonl");
  writeFileSync(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return path;
}

test("a list: paths are relative to it, empty lines and a byte order mark pass", async () => {
  const path = list('\uFEFF{"input":"a/b","series":"1.2","options":{"method":"li"}}', "", { input: "/x", id: "one" });
  const [first, second] = await readJobList(path, "mar");
  assert.is(first!.input, at("a/b"));
  assert.is(first!.series, "1.2");
  assert.equal(first!.options, { method: "li" });
  assert.is(second!.id, "one");
  assert.match(second!.origin!, /jobs\.jsonl line 3$/);
});

test("unknown fields are refused with the right name", async () => {
  for (const [line, suggestion, where] of [
    [{ inputs: "a" }, "input", /line 1: the field "inputs" is not known\. Did you mean "input"\?/],
    [{ input: "a", Series: "1" }, "series", /Did you mean "series"\?/],
    [{ input: "a", options: { metalHU: 3000 } }, "metalHu", /line 1, options: .*Did you mean "metalHu"\?/],
    [{ input: "a", options: { "metal-hu": 3000 } }, "metalHu", /Did you mean "metalHu"\?/],
  ] as const) {
    const error = await errorOf(readJobList(list(line), "mar"));
    assert.is(error.code, "ERR_SINO_IO_FORMAT");
    assert.match(error.message, where);
    assert.is(error.details!["suggestion"], suggestion);
  }
  const error = await errorOf(readJobList(list({ input: "a", zebra: 1 }), "mar"));
  assert.match(error.message, /Fields are id, input, series, output, options\./);
  const geometry = await errorOf(readJobList(list({ input: "a", geometry: "g.json" }), "mar"));
  assert.match(geometry.message, /"geometry" is not known/);
});

test("wrong values, no JSON, no object, no input, no job: one sentence that names the line", async () => {
  for (const [line, sentence] of [
    [{ input: 5 }, /line 1: input is 5\./],
    [{ input: "a", options: { passes: 0 } }, /options: passes is 0\./],
    [{ input: "a", options: { method: "magic" } }, /method is "magic"\./],
    ["{", /line 1 is not JSON/],
    ["[1]", /Expected an object/],
    [{ id: "x" }, /"input" is missing/],
    ["", /lists no job/],
  ] as const) {
    const error = await errorOf(readJobList(list(line), "mar"));
    assert.is(error.code, "ERR_SINO_IO_FORMAT");
    assert.match(error.message, sentence);
  }
  assert.is((await errorOf(readJobList(at("absent.jsonl"), "mar"))).code, "ERR_SINO_IO");
});

test("two jobs with one output, an output inside another, or outside the folder, are refused", async () => {
  const plan = async (...jobs: object[]) =>
    planJobs(await readJobList(list(...jobs), "mar"), { task: "mar", out: at("out") });
  for (const [jobs, sentence] of [
    [
      [
        { input: "a", output: "x" },
        { input: "b", output: "x/" },
      ],
      /Two jobs would write x: .*line 1 and .*line 2\./,
    ],
    [
      [
        { input: "a", id: "x" },
        { input: "b", id: "x" },
      ],
      /Two jobs would write x/,
    ],
    [
      [
        { input: "a", id: "x" },
        { input: "b", output: "x" },
      ],
      /Two jobs would write x/,
    ],
    [[{ input: "a" }, { input: "a" }], /Two jobs would write/],
    [
      [
        { input: "a", output: "x" },
        { input: "b", output: "x/y" },
      ],
      /line 2 \(x\/y\) lies inside that of .*line 1 \(x\)/,
    ],
    [[{ input: "a", output: "../x" }], /below the output folder/],
    [[{ input: "a", output: "/x" }], /below the output folder/],
    [[{ input: "a", output: "logs" }], /needs itself/],
    [[{ input: "a", id: "a/b" }], /an id of letters/],
  ] as const) {
    const error = await errorOf(plan(...jobs));
    assert.is(error.code, "ERR_SINO_OUT_OF_RANGE");
    assert.match(error.message, sentence);
  }
  const jobs = await plan({ input: "p/scan" }, { input: "q/scan" }, { input: "q/scan", series: "1.2" });
  assert.is(new Set(jobs.map(({ output }) => output)).size, 3);
  const again = await plan({ input: "q/scan" }, { input: "p/scan" });
  assert.is(again[0]!.id, jobs[1]!.id);
});

test("the configuration hash follows what decides the result, and nothing else", async () => {
  await writeSinograms(at("hash/sinograms"), 1);
  const jobs = [{ input: at("hash/sinograms/a.npy") }];
  const hash = async (options: object, more: object = {}) =>
    (
      await planJobs(jobs, { task: "reconstruct", out: at("o"), geometry: at("hash/geometry.json"), options, ...more })
    )[0]!.configHash;
  const plain = await hash({});
  assert.is(await hash({ filter: "ram-lak" }), plain);
  assert.is(await hash({}, { out: at("elsewhere") }), plain);
  assert.is.not(await hash({ filter: "hann" }), plain);
  writeFileSync(at("other.json"), JSON.stringify({ ...smallGeometry, binMm: 2 }));
  assert.is.not(await hash({}, { geometry: at("other.json") }), plain);
  const error = await errorOf(planJobs(jobs, { task: "reconstruct", out: at("o") }));
  assert.is(error.code, "ERR_SINO_ARG_TYPE");
});

test("CT series are found in any folder, put together across folders, output passed over", async () => {
  writeSeries(at("find"), 2);
  writeCtSeries(at("find/split/one"), 2, (i) => ({ series: "1.2.9", position: [0, 0, i] }));
  writeCtSeries(at("find/split/two"), 1, () => ({ series: "1.2.9", position: [0, 0, 9], instance: 7 }));
  writeSeries(at("find/out"), 1);
  writeFileSync(at("find/notes.txt"), "not DICOM");
  symlinkSync(at("find"), at("find/loop"));
  const jobs = await discoverJobs([at("find"), at("find/split")], "mar", { exclude: at("find/out") });
  assert.equal(jobs.map(({ name }) => name).toSorted(), ["1.2.3.100", "1.2.3.101", "1.2.9"]);
  const split = jobs.find(({ name }) => name === "1.2.9")!;
  assert.equal(split.extent?.pixelMm, [0.75, 0.5]);
  assert.is(split.extent?.shape[0], 3);
  assert.is(split.input, at("find/split"));
  assert.is(split.folders!.size, 2);
});

test("sinogram files are found; names that meet are told apart", async () => {
  await writeSinograms(at("s/one"), 2);
  await writeSinograms(at("s/two"), 1);
  mkdirSync(at("s/two/deep"));
  writeFileSync(at("s/two/deep/x.h5"), "");
  writeFileSync(at("s/two/deep/x.json"), "");
  const found = await discoverJobs([at("s")], "reconstruct");
  assert.equal(found.map(({ name }) => name).toSorted(), ["one_a", "one_b", "two_a", "two_deep_x"]);
  const both = await discoverJobs([at("s/one"), at("s/two")], "reconstruct");
  const jobs = await planJobs(both, { task: "reconstruct", out: at("o"), geometry: at("s/geometry.json") });
  assert.is(new Set(jobs.map(({ id }) => id)).size, 4);
});

test("folders of damaged files, and folders that cannot be read, become jobs that fail", async () => {
  mkdirSync(at("damaged/inner"), { recursive: true });
  writeFileSync(
    at("damaged/inner/x"),
    Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), Buffer.of(8, 0, 1, 2, 3)]),
  );
  const [job] = await discoverJobs([at("damaged")], "mar");
  assert.is(job!.problem!.code, "ERR_SINO_IO_FORMAT");
  assert.is((await errorOf(discoverJobs([at("absent")], "mar"))).code, "ERR_SINO_IO");
});

test.skipUnless(process.getuid?.() === 0, "needs to be root, to become somebody else")(
  "a folder without permission becomes a job that fails, the others are found",
  async () => {
    writeSeries(at("locked"), 2);
    const { chmodSync } = await import("node:fs");
    chmodSync(folder, 0o755);
    chmodSync(at("locked/patient0"), 0o700);
    process.seteuid!(65534);
    const jobs = await discoverJobs([at("locked")], "mar").finally(() => process.seteuid!(0));
    assert.equal(
      jobs.map(({ name, problem }) => [name, problem?.code]),
      [
        ["1.2.3.101", undefined],
        ["unreadable_patient0", "ERR_SINO_IO"],
      ],
    );
    assert.match(jobs[1]!.problem!.message, /permission denied/);
  },
);

test("shards are every n-th job, and outside 1 to n refused", () => {
  assert.equal(shardOf([0, 1, 2, 3, 4], { index: 2, count: 2 }), [1, 3]);
  assert.throws(() => shardOf([1], { index: 0, count: 2 }), /from 1\/2 to 2\/2/);
});

test.run();
