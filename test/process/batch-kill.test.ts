/** kill -9 at any change to the file system, then the same again: the same tree as without it. */
import { join } from "node:path";
import * as assert from "uvu/assert";
import { runBatch } from "../../lib/batch/run.ts";
import { startFaulty, treeOf, writeSeries, writeSinograms } from "../support/batch.ts";
import { ended } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-kill");
const folder = temporaryFolder();
const at = (...parts: string[]) => join(folder, ...parts);
writeSeries(at("series"), 3);
await writeSinograms(at("sinograms"), 3);

const mar = { task: "mar", inputs: [at("series")], staleSeconds: 0.5 } as const;
const reconstruct = {
  task: "reconstruct",
  inputs: [at("sinograms")],
  geometry: at("geometry.json"),
  staleSeconds: 0.5,
} as const;
const flags = { mar: ["--task", "mar"], reconstruct: ["--task", "reconstruct", "--geometry", at("geometry.json")] };
const lineOf = (task: "mar" | "reconstruct", out: string, ...more: string[]) => {
  const input = task === "mar" ? at("series") : at("sinograms");
  return ["batch", "run", input, ...flags[task], "-o", out, "--workers", "2", "--stale", "0.5", ...more];
};

/** Made without any disturbance. */
const undisturbed = {
  mar: at("undisturbed-mar"),
  reconstruct: at("undisturbed-reconstruct"),
};
const setUp = (async () => {
  await runBatch({ ...mar, output: undisturbed.mar });
  await runBatch({ ...reconstruct, output: undisturbed.reconstruct });
})();

// The main thread makes about 30 changes and each of two others 20. All of them: SINOGRAM_KILL_POINTS=all, which takes minutes.
const every = (last: number) => Array.from({ length: last }, (_, i) => i + 1);
const isAll = process.env["SINOGRAM_KILL_POINTS"] === "all";
const points: ["mar" | "reconstruct", string][] = isAll
  ? [
      ...every(30).map((n): ["mar", string] => ["mar", `main ${n}`]),
      ...every(27).map((n): ["mar", string] => ["mar", `worker ${n}`]),
      ...every(22).map((n): ["reconstruct", string] => ["reconstruct", `worker ${n}`]),
    ]
  : [
      ["mar", "main 8"],
      ["mar", "main 18"],
      ["mar", "worker 13"],
      ["mar", "worker 14"],
      ["reconstruct", "worker 8"],
    ];

async function killAndResume(
  task: "mar" | "reconstruct",
  point: string,
  out: string,
  ...more: string[]
): Promise<void> {
  const { signal, stderr } = await ended(startFaulty(`kill ${point}`, out, ...lineOf(task, out, ...more)));
  // the last points of the long list may lie behind the end, where threads share the work unevenly
  assert.ok(signal === "SIGKILL" || isAll, `${point}: ${stderr}`);
  const { failed } = await runBatch({ ...(task === "mar" ? mar : reconstruct), output: out });
  assert.is(failed.length, 0);
  assert.is(treeOf(out), treeOf(undisturbed[task]), `${task}, killed at ${point}`);
}

test("killed at any change, then resumed: byte-identical", async () => {
  await setUp;
  const left = points.map(
    ([task, point]) =>
      () =>
        killAndResume(task, point, at(`${task}-${point.replace(" ", "-")}`)),
  );
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) await next();
  };
  await Promise.all([work(), work()]);
});

test("a second run killed while it replaces the results of the first, then resumed: byte-identical", async () => {
  await setUp;
  const out = at("again");
  await runBatch({ ...mar, output: out });
  await killAndResume("mar", "worker 13", out, "--fresh");
});

test.run();
