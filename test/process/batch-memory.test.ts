/** What a job takes is what it reserves: the peak of a process over that of a tiny batch, beside the estimate. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as assert from "uvu/assert";
import { seriesBytes } from "../../lib/batch/mar.ts";
import { writeSeries } from "../support/batch.ts";
import { ended } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-memory");
const folder = temporaryFolder();
const at = (...parts: string[]) => join(folder, ...parts);
const url = (path: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, "../..", path)).href);

/** Bytes by which a batch of `input` raises the peak of a process that has done a tiny one. */
async function peakOver(input: string): Promise<number> {
  const script = `
    const { runBatch } = await import(${url("lib/batch/run.ts")});
    const run = (name) => runBatch({ task: "mar", inputs: [name], output: name + "-out", workers: 1 });
    const { failed } = await run(${JSON.stringify(at("tiny"))});
    const base = process.resourceUsage().maxRSS;
    failed.push(...(await run(${JSON.stringify(at(input))})).failed);
    console.log(JSON.stringify({ failed, peak: 1024 * (process.resourceUsage().maxRSS - base) }));`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
  const { stdout, stderr } = await ended(child);
  assert.is(stderr, "");
  const { failed, peak } = JSON.parse(stdout);
  assert.equal(failed, []);
  return peak;
}

test("a series with metal takes what was reserved for it", async () => {
  writeSeries(at("tiny"), 1);
  // 8 slices with metal are corrected at once; pixels of 0.75 × 0.5 mm
  writeSeries(at("metal"), 1, { slices: 16, size: 256 });
  const { own, inTurn = 0 } = seriesBytes({ shape: [16, 256, 256], pixelMm: [0.75, 0.5] });
  const peak = await peakOver("metal");
  // the collector and malloc keep some tens of megabytes, more or less; a forgotten sinogram would be 16 MB, an image 2
  const mega = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  assert.ok(peak > 0.6 * (own + inTurn), `reserved ${mega(own + inTurn)}, peak ${mega(peak)}`);
  assert.ok(peak < 1.3 * (own + inTurn), `reserved ${mega(own + inTurn)}, peak ${mega(peak)}`);
});

test.run();
