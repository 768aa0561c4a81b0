/** `sinogram batch` from end to end: results, bad inputs with their sentence and exit code, reruns, resuming. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readNpy } from "../../lib/data/npy.ts";
import { treeOf, writeSeries, writeSinograms } from "../support/batch.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-cli");
const folder = temporaryFolder();
const at = (...parts: string[]) => join(folder, ...parts);
const uids = writeSeries(at("series"), 3);
await writeSinograms(at("sinograms"), 3);
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const list = (name: string, ...jobs: object[]): string => {
  writeFileSync(at(name), jobs.map((job) => JSON.stringify(job)).join("\n"));
  return at(name);
};
const mar = (input: string, output: string, ...more: string[]) =>
  cli("batch", "run", input, "--task", "mar", "-o", at(output), "--json", ...more);
const reconstruct = (input: string, output: string, ...more: string[]) =>
  cli(
    "batch",
    "run",
    input,
    "--task",
    "reconstruct",
    "--geometry",
    at("geometry.json"),
    "-o",
    at(output),
    "--json",
    ...more,
  );

test("mar: derived series that are those of `sinogram mar`, and done.json with its proofs", async () => {
  const { code, stdout, stderr } = await mar(at("series"), "mar", "--method", "li");
  assert.is(code, 0, stderr);
  const report = JSON.parse(stdout);
  assert.is(report.done, 3);
  assert.is(report.slices, 6);
  const done = json(at("mar", uids[0]!, "done.json"));
  assert.equal(Object.keys(done.outputs), ["0001.dcm", "0002.dcm"]);
  assert.match(done.configHash, /^[0-9a-f]{64}$/);
  assert.match(done.inputDigest, /^[0-9a-f]{64}$/);
  assert.is(done.sourceSeriesUid, uids[0]);
  const single = await cli("mar", at("series/patient0"), "-o", at("single"), "--method", "li");
  assert.is(single.code, 0, single.stderr);
  for (const name of ["0001.dcm", "0002.dcm"])
    assert.ok(readFileSync(at("single", name)).equals(readFileSync(at("mar", uids[0]!, name))), name);
});

test("reconstruct: images that are those of `sinogram reconstruct`", async () => {
  const { code, stderr } = await reconstruct(at("sinograms"), "images", "--filter", "hann", "--hu");
  assert.is(code, 0, stderr);
  const line = ["--geometry", at("geometry.json"), "--filter", "hann", "--hu", "-o", at("b.npy")];
  assert.is((await cli("reconstruct", at("sinograms/b.npy"), ...line)).code, 0);
  assert.ok(readFileSync(at("b.npy")).equals(readFileSync(at("images/b/image.npy"))));
  assert.equal((await readNpy(at("images/b/image.npy"))).array.shape, [2, 32, 32]);
});

test("a rerun does nothing that is proven done; --fresh does it again, overwrites and never duplicates", async () => {
  const before = treeOf(at("mar"));
  const again = await mar(at("series"), "mar", "--method", "li", "--fresh");
  assert.is(JSON.parse(again.stdout).done, 3);
  assert.is(treeOf(at("mar")), before);
  const file = at("mar", uids[0]!, "0001.dcm");
  const { mtimeMs } = statSync(file);
  const resumed = JSON.parse((await mar(at("series"), "mar", "--method", "li")).stdout);
  assert.equal([resumed.done, resumed.skipped], [0, 3]);
  assert.is(statSync(file).mtimeMs, mtimeMs);
  rmSync(at("mar/logs"), { recursive: true }); // the stamps: digests of the inputs decide now
  const verified = JSON.parse((await mar(at("series"), "mar", "--method", "li", "--resume")).stdout);
  assert.equal([verified.done, verified.skipped], [0, 3]);
  const other = JSON.parse((await mar(at("series"), "mar", "--method", "nmar", "--resume")).stdout);
  assert.equal([other.done, other.skipped], [3, 0]);
});

test("what is done again: what has another input now, or lacks an output", async () => {
  await reconstruct(at("sinograms"), "changing");
  const bytes = readFileSync(at("sinograms/a.npy"));
  const changed = Buffer.from(bytes);
  changed.writeFloatLE(3, changed.length - 4 * 47 * 3);
  writeFileSync(at("sinograms/a.npy"), changed);
  rmSync(at("changing/c/image.npy"));
  const { done, skipped } = JSON.parse((await reconstruct(at("sinograms"), "changing")).stdout);
  assert.equal([done, skipped], [2, 1]);
  writeFileSync(at("sinograms/a.npy"), bytes);
});

test("bad series are reported and quarantined, the rest goes on, exit 4; later they are tried again", async () => {
  const path = list(
    "mixed.jsonl",
    { input: "series/patient0", id: "good" },
    { input: "series/absent", id: "absent" },
    { input: "geometry.json", id: "text" },
    { input: "series", id: "several" },
    { input: "series", id: "chosen", series: uids[1] },
  );
  const { code, stdout, stderr } = await mar(path, "mixed");
  assert.is(code, 4);
  const { done, failed } = JSON.parse(stdout);
  assert.is(done, 2);
  assert.equal(failed.map(({ id }: { id: string }) => id).toSorted(), ["absent", "several", "text"]);
  const record = json(at("mixed/absent/failed.json"));
  assert.is(record.code, "ERR_SINO_IO");
  assert.match(record.message, /absent: no such file or folder\.$/);
  assert.match(stderr, /absent: Cannot read .* \[ERR_SINO_IO\]/);
  const status = await cli("batch", "status", at("mixed"), "--json");
  assert.is(status.code, 4);
  assert.equal([JSON.parse(status.stdout).done, JSON.parse(status.stdout).failed], [2, 3]);
  writeSeries(at("series/absent"), 1);
  const again = JSON.parse((await mar(path, "mixed")).stdout);
  assert.equal([again.done, again.skipped, again.failed.length], [1, 2, 2]);
  assert.not.ok(existsSync(at("mixed/absent/failed.json")));
  rmSync(at("series/absent"), { recursive: true });
});

test("what cannot be run at all: one sentence, exit 2 or 3, nothing made", async () => {
  writeFileSync(at("file"), "");
  mkdirSync(at("empty"));
  for (const [args, code, sentence] of [
    [[at("absent"), "--task", "mar", "-o", at("no")], 3, /Cannot read .*absent: no such file/],
    [[at("absent.jsonl"), "--task", "mar", "-o", at("no")], 3, /Cannot read .*absent\.jsonl/],
    [[at("empty"), "--task", "mar", "-o", at("no")], 3, /No CT series was found/],
    [[at("empty"), "--task", "reconstruct", "-o", at("no")], 3, /No sinogram file was found/],
    [[at("sinograms"), "--task", "reconstruct", "-o", at("no")], 3, /has no geometry/],
    [[at("series"), "--task", "mar", "-o", at("series")], 3, /it is an input of this batch/],
    [[at("series"), "--task", "mar", "-o", at("a/b/c")], 3, /Cannot write .*a\/b\/c/],
    [[at("series"), "--task", "mar", "-o", at("file")], 3, /Cannot .*file/],
    [[at("series"), "--task", "mar", "-o", at("no"), "--filter", "hann"], 2, /--filter is not an option of --task mar/],
    [
      [at("series"), "--task", "mar", "-o", at("no"), "--geometry", at("geometry.json")],
      2,
      /--geometry is not an option/,
    ],
    [[at("series"), "--task", "magic", "-o", at("no")], 2, /Allowed choices are reconstruct, mar/],
    [[at("series"), "-o", at("no")], 2, /--task/],
    [[at("series"), "--task", "mar", "-o", at("no"), "--memory", "lots"], 2, /Expected a size/],
    [
      [list("two.jsonl", { input: "x", id: "x" }, { input: "y", id: "x" }), "--task", "mar", "-o", at("no")],
      3,
      /Two jobs would write x/,
    ],
    [[list("typo.jsonl", { inptu: "x" }), "--task", "mar", "-o", at("no")], 3, /Did you mean "input"\?/],
  ] as const) {
    const outcome = await cli("batch", "run", ...args);
    assert.is(outcome.code, code, `${args.join(" ")}: ${outcome.stderr}`);
    assert.match(outcome.stderr, sentence);
    assert.is(outcome.stderr.trim().split("\n").length, 1);
    assert.not.ok(existsSync(at("no")), args.join(" "));
  }
  const status = await cli("batch", "status", at("empty"));
  assert.is(status.code, 3);
});

test("a folder that no batch made is left alone", async () => {
  mkdirSync(at("foreign", uids[1]!), { recursive: true });
  writeFileSync(at("foreign", uids[1]!, "thesis.txt"), "years of work");
  const { code, stderr } = await mar(at("series"), "foreign");
  assert.is(code, 4);
  assert.match(stderr, /holds something that no batch made/);
  assert.equal(readdirSync(at("foreign", uids[1]!)), ["thesis.txt"]);
});

const otherFileSystem = "/dev/shm";
const isOther = existsSync(otherFileSystem) && statSync(otherFileSystem).dev !== statSync(folder).dev;
test.skipUnless(isOther, "needs /dev/shm on another file system than the temporary folder")(
  "outputs on another file system: below a link, and the whole folder",
  async () => {
    const other = mkdtempSync(join(otherFileSystem, "sinogram-test-"));
    process.on("exit", () => rmSync(other, { recursive: true, force: true }));
    mkdirSync(at("linked"));
    mkdirSync(join(other, "below"));
    symlinkSync(join(other, "below"), at("linked/elsewhere"));
    const path = list(
      "elsewhere.jsonl",
      { input: "series/patient0", output: "elsewhere/deep/one" },
      { input: "series/patient1", output: "here" },
    );
    const { code, stderr } = await mar(path, "linked");
    assert.is(code, 0, stderr);
    assert.equal(readdirSync(join(other, "below/deep/one")).toSorted(), ["0001.dcm", "0002.dcm", "done.json"]);
    assert.equal(readdirSync(join(other, "below/deep")), ["one"]);
    const whole = await cli("batch", "run", at("series"), "--task", "mar", "-o", join(other, "whole"));
    assert.is(whole.code, 0, whole.stderr);
    await mar(at("series"), "whole");
    assert.is(treeOf(join(other, "whole")), treeOf(at("whole")));
  },
);

test("events as JSON lines, and a memory smaller than any job lets them through one by one", async () => {
  const { code, stdout, stderr } = await cli(
    ...["batch", "run", at("series"), "--task", "mar", "-o", at("events"), "--ndjson", "--memory", "1M", "--quiet"],
  );
  assert.is(code, 0);
  assert.is(stderr, "");
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.is(events[0].event, "begin");
  assert.is(events.at(-1).event, "end");
  assert.is(events.filter(({ event }) => event === "done").length, 3);
  for (const both of [
    ["--json", "--ndjson"],
    ["--resume", "--fresh"],
  ])
    assert.is((await cli("batch", "run", "x", "--task", "mar", "-o", "y", ...both)).code, 2);
});

test.run();
