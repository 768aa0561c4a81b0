/** Several processes on one output folder: every series once, claims of the dead taken over, those of the living not. */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type { BatchEvent } from "../../lib/batch/events.ts";
import { runBatch } from "../../lib/batch/run.ts";
import { treeOf, writeSeries } from "../support/batch.ts";
import { cli, ended, startCli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { canMeasureStalls, stallsDuring } from "../support/stalls.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-share");
const folder = temporaryFolder();
const at = (...parts: string[]) => join(folder, ...parts);
const uids = writeSeries(at("series"), 10, { slices: 2, size: 32 });
const mar = { task: "mar", inputs: [at("series")] } as const;

const eventsOf = (stdout: string): BatchEvent[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as BatchEvent);

test("two processes that share one list do every series exactly once", async () => {
  const line = ["batch", "run", at("series"), "--task", "mar", "-o", at("shared"), "--workers", "1", "--ndjson"];
  const outcomes = await Promise.all([ended(startCli(line)), ended(startCli(line))]);
  for (const { code, stderr } of outcomes) assert.is(code, 0, stderr);
  const events = outcomes.map(({ stdout }) => eventsOf(stdout));
  const done = events.flat().flatMap((event) => (event.event === "done" ? [event.id] : []));
  assert.equal(done.toSorted(), uids.toSorted());
  for (const each of events) {
    const end = each.at(-1)!;
    assert.is(end.event, "end");
    if (end.event === "end") assert.is(end.done + end.skipped, 10);
  }
  const late = await ended(startCli(line)); // when all is done: nothing is done again
  assert.equal(
    eventsOf(late.stdout).flatMap(({ event }) => (event === "start" ? [event] : [])),
    [],
  );
  await runBatch({ ...mar, output: at("alone") });
  assert.is(treeOf(at("shared")), treeOf(at("alone")));
});

test("shards do their parts, and together all", async () => {
  const counts: number[] = [];
  for (const index of [1, 2, 3]) {
    const { done, skipped } = await runBatch({ ...mar, output: at("shards"), shard: { index, count: 3 } });
    counts.push(done);
    assert.is(skipped, 0);
  }
  assert.equal(counts, [4, 3, 3]);
  assert.is(treeOf(at("shards")), treeOf(at("alone")));
  const { code, stderr } = await cli("batch", "run", at("series"), "--task", "mar", "-o", at("x"), "--shard", "0/3");
  assert.is(code, 2);
  assert.match(stderr, /i from 1 to n/);
});

const claimOf = (id: string, fields: object) =>
  JSON.stringify({
    id,
    token: "aaaaaaaaaaaa",
    beat: "000000001",
    host: "elsewhere",
    pid: 1,
    machine: "m",
    started: "1",
    ...fields,
  });

test("a claim of another machine that gives no sign of life is taken over, whatever its clock says", async () => {
  for (const [name, time] of [
    ["past", new Date(0)],
    ["future", new Date(Date.now() + 1e11)],
  ] as const) {
    const out = at(`stale-${name}`);
    const claims = join(out, "logs", "claims");
    mkdirSync(claims, { recursive: true });
    const path = join(claims, `${uids[0]}.1.json`);
    writeFileSync(path, claimOf(uids[0]!, {}));
    utimesSync(path, time, time);
    const begun = performance.now();
    const { done } = await runBatch({ ...mar, output: out, staleSeconds: 0.7 });
    assert.is(done, 10);
    assert.ok(performance.now() - begun > 600, "taken over before its time");
    assert.is(treeOf(out), treeOf(at("alone")));
    assert.equal(readdirSync(claims), []);
  }
});

test("a claim that shows signs of life is waited for, even if its clock runs backwards", async () => {
  const out = at("alive");
  const claims = join(out, "logs", "claims");
  mkdirSync(claims, { recursive: true });
  const path = join(claims, `${uids[0]}.1.json`);
  let beats = 0;
  const beat = () => {
    writeFileSync(path, claimOf(uids[0]!, { beat: String(++beats).padStart(9, "0") }));
    const time = new Date(1e12 - beats * 1e6);
    utimesSync(path, time, time);
  };
  beat();
  const timer = setInterval(beat, 50);
  const seen: string[] = [];
  const controller = new AbortController();
  const run = runBatch({
    ...mar,
    output: out,
    staleSeconds: 1,
    signal: controller.signal,
    onEvent: (event) => {
      if (event.event === "done") seen.push(event.id);
      // twice as long as it takes to see that a claim is stale
      if (event.event === "done" && seen.length === 9) setTimeout(() => controller.abort("enough"), 2000);
    },
  });
  const reason = await run.catch((error) => error);
  clearInterval(timer);
  assert.is(reason, "enough");
  assert.is(seen.length, 9);
  assert.not.ok(seen.includes(uids[0]!));
});

test("a claim of a process that has died on this machine is taken over at once", async () => {
  const out = at("dead");
  const claims = join(out, "logs", "claims");
  mkdirSync(claims, { recursive: true });
  // made by a process that is no more, as it was made
  const script = `const { thisProcess } = await import(${JSON.stringify(join(import.meta.dirname, "../../lib/batch/machine.ts"))}); console.log(JSON.stringify(thisProcess));`;
  const { stdout } = await ended(spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]));
  assert.is(JSON.parse(stdout).host, hostname());
  writeFileSync(join(claims, `${uids[0]}.1.json`), claimOf(uids[0]!, JSON.parse(stdout)));
  const begun = performance.now();
  const { done } = await runBatch({ ...mar, output: out, staleSeconds: 60 });
  assert.is(done, 10);
  assert.ok(performance.now() - begun < 40_000, "waited for a dead process");
});

test.skipUnless(canMeasureStalls, "the system does not tell how long a thread has run")(
  "the event loop is never held while a batch runs",
  async () => {
    writeSeries(at("large"), 3, { slices: 6, size: 160 });
    writeSeries(at("large/wide"), 1, { slices: 8, size: 512 });
    // the wide one is read, copied and written whole, but its metal is taken for tissue: correcting it would take long
    const jobs = [0, 1, 2].map((k) => ({ input: at(`large/patient${k}`) }));
    const wide = { input: at("large/wide/patient0"), id: "wide", options: { metalHu: 9000 } };
    const run = (output: string) => runBatch({ task: "mar", jobs: [...jobs, wide], output: at(output) });
    const { longestMs, turns } = await stallsDuring(() => run("large-out"));
    assert.ok(turns > 50);
    assert.ok(longestMs < 10, `held for ${longestMs.toFixed(1)} ms`);
  },
);

test("events and status are read back from files alone", async () => {
  const { code, stdout } = await cli("batch", "status", at("alone"), "--json", "--verify");
  assert.is(code, 0);
  const status = JSON.parse(stdout);
  assert.is(status.done, 10);
  assert.is(status.slices, 20);
  const [log] = readdirSync(at("alone", "logs")).filter((name) => name.startsWith("events-"));
  const last = readFileSync(at("alone", "logs", log!), "utf8")
    .trim()
    .split("\n")
    .at(-1)!;
  assert.is(JSON.parse(last).event, "end");
  writeFileSync(at("alone", uids[3]!, "0001.dcm"), "changed");
  const after = await cli("batch", "status", at("alone"), "--verify");
  assert.is(after.code, 4);
  assert.match(after.stdout, new RegExp(`changed {2}${uids[3]!.replaceAll(".", "\\.")}: 0001\\.dcm`));
});

test.run();
