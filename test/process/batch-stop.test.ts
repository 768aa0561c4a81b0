/** A batch that is stopped, by a signal or by a full disk, leaves nothing half-written and goes on when started again. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { runBatch } from "../../lib/batch/run.ts";
import { startFaulty, treeOf, writeSeries } from "../support/batch.ts";
import { ended, startCli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-stop");
const folder = temporaryFolder();
const at = (...parts: string[]) => join(folder, ...parts);
writeSeries(at("series"), 2);
const mar = { task: "mar", inputs: [at("series")] } as const;

test("SIGINT and SIGTERM roll back what is in hand: 130 and 143, nothing half-written, resumable", async () => {
  writeSeries(at("many"), 9, { slices: 3, size: 48 });
  const input = { task: "mar", inputs: [at("many")], output: at("interrupted") } as const;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const child = startCli(["batch", "run", at("many"), "--task", "mar", "-o", input.output, "--ndjson"]);
    child.stdout!.once("data", function wait(chunk) {
      if (String(chunk).includes('"start"')) child.kill(signal);
      else child.stdout!.once("data", wait);
    });
    const outcome = await ended(child);
    assert.is(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, /nothing was left half-written/);
    assert.not.ok(existsSync(join(input.output, ".staging")));
    assert.equal(readdirSync(join(input.output, "logs", "claims")), []);
  }
  await runBatch(input);
  await runBatch({ ...input, output: at("interrupted-reference") });
  assert.is(treeOf(input.output), treeOf(at("interrupted-reference")));
});

test("a full disk in the middle ends the batch with exit 3, nothing half-written, resumable", async () => {
  await runBatch({ ...mar, output: at("reference") });
  const reference = treeOf(at("reference"));
  for (const point of ["worker 6", "worker 10"]) {
    const out = at(`full-${point.replace(" ", "-")}`);
    const line = ["batch", "run", at("series"), "--task", "mar", "-o", out];
    const { code, stderr } = await ended(startFaulty(`full ${point}`, out, ...line));
    assert.is(code, 3, stderr);
    assert.match(stderr, /the disk is full/);
    assert.not.ok(existsSync(join(out, ".staging")));
    const { failed } = await runBatch({ ...mar, output: out });
    assert.is(failed.length, 0);
    assert.is(treeOf(out), reference, point);
  }
});

test.run();
