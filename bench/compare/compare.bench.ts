/**
 * sinogram beside its Python peers: the same inputs and geometry, results compared first, then times taken in turn (A B A B …).
 *
 *     npm run bench -- compare                                   everything, about two hours
 *     node --import tsx bench/compare/compare.bench.ts --quick   small cases, short turns, into bench/out
 *     …  --only fbp,distance    cases whose id contains one of the words      --threads 1,2
 *     …  --file PATH            results file; rows that are already in it are kept, so a run can be resumed
 *     …  --again                measure them all the same                     --list   only print the ids
 *     …  --peers                the Python side alone (npm run bench:python)
 *     …  --seconds 20           of measuring per row                          --limit 20   longest call of a peer, s
 *
 * At the end (or by `node --import tsx bench/compare/report.ts [PATH]`) charts are drawn beside the file, and docs/performance.md takes
 * its tables from it where it lies in bench/results. Nothing is asserted.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Case, cases } from "./cases.ts";
import { Contender } from "./contender.ts";
import { Inputs } from "./inputs.ts";
import { load, machine, machineName, revision } from "./machine.ts";
import { report } from "./report.ts";
import { keyOf, putRow, type Results, type Row, readResults } from "./results.ts";
import { type Effort, type Entry, measure, Predictions } from "./turns.ts";

const root = resolve(import.meta.dirname, "../..");
const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    threads: { type: "string", default: "1,2" },
    file: { type: "string" },
    again: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
    seconds: { type: "string" },
    limit: { type: "string" },
  },
});

const words = options.only.split(",").filter(Boolean);
const chosen = cases.filter(
  (item) =>
    (words.length === 0 || words.some((word) => item.id.includes(word))) &&
    !(options.quick && item.large) &&
    !(options.peers && item.peers.length === 0),
);
const effort: Effort = {
  seconds: Number(options.seconds ?? (options.quick ? 2 : 20)),
  limit: Number(options.limit ?? (options.quick ? 3 : 20)),
  leastTurns: 3,
  mostTurns: options.quick ? 7 : 15,
};
const here = machine();
const date = new Date().toISOString().slice(0, 10);
const folder = options.quick || options.peers ? "bench/out" : "bench/results";
const path = options.file ? resolve(options.file) : join(root, folder, `${date}-cpu-${machineName(here)}.json`);

function say(item: Case, row: Row): void {
  const rate = (ms: number) =>
    item.unit === "GUPS" ? item.work / ms / 1e6 : item.unit === "Mpx/s" ? item.work / ms / 1e3 : (item.work / ms) * 1e3;
  console.log(`${item.id}, ${row.threads} thread${row.threads > 1 ? "s" : ""}, load ${row.load.join(" → ")}`);
  for (const { name, wall, ratio, agreement, error, skipped } of row.contenders) {
    const time = wall
      ? `${(wall.median / (item.unit === "GUPS" ? item.slices : 1)).toFixed(2).padStart(10)} ms ±${((50 * (wall.high - wall.low)) / wall.median).toFixed(0).padStart(3)} %  ${rate(wall.median).toPrecision(3).padStart(6)} ${item.unit}`
      : `         — ${skipped}`;
    const times = ratio
      ? `  × ${ratio.median.toPrecision(3)} (${ratio.low.toPrecision(3)} – ${ratio.high.toPrecision(3)})`
      : "";
    const apart = agreement ? `  apart ${agreement.relativeL2.toExponential(1)}` : "";
    const wrong = error === undefined ? "" : `  error ${error.toExponential(1)}`;
    console.log(`  ${name.padEnd(24)}${time}${times}${apart}${wrong}`);
  }
}

async function contenderFor(module: string, threads: number, running: Map<string, Contender>, results: Results) {
  const known = running.get(module);
  if (known) return known;
  const contender = await Contender.start(module, threads);
  running.set(module, contender);
  Object.assign(results.versions, contender.description.versions);
  if (contender.description.missing) console.log(`${module} is left out: ${contender.description.missing}`);
  return contender;
}

async function entriesOf(item: Case, threads: number, running: Map<string, Contender>, results: Results) {
  const entries: Entry[] = [];
  if (!options.peers)
    entries.push({ peer: undefined, contender: await contenderFor("ours", threads, running, results) });
  for (const peer of item.peers) {
    if (options.peers && peer.module === "ours") continue;
    const contender = await contenderFor(peer.module, threads, running, results);
    if (!contender.description.missing) entries.push({ peer, contender });
  }
  return entries;
}

async function compare(threads: number, results: Results, inputs: Inputs): Promise<void> {
  const running = new Map<string, Contender>();
  const predictions = new Predictions();
  const revised = revision(root);
  const done = new Map(options.again ? [] : results.rows.map((row) => [keyOf(row), row]));
  try {
    for (const item of chosen) {
      const old = done.get(keyOf({ id: item.id, threads }));
      for (const { name, wall } of old?.contenders ?? []) if (wall) predictions.learn(item, name, wall.median);
      if (old) continue;
      const before = load();
      const contenders = await measure(
        item,
        await entriesOf(item, threads, running, results),
        inputs,
        effort,
        predictions,
      );
      const { id, table, operation, slices, work, unit } = item;
      const row: Row = {
        ...{ id, table, operation, threads, slices, work, unit },
        measured: new Date().toISOString(),
        revision: revised,
        load: [before, load()],
        contenders,
      };
      putRow(results, row, path);
      say(item, row);
    }
  } finally {
    for (const contender of running.values()) contender.stop();
  }
}

if (options.list) for (const item of chosen) console.log(item.id);
else {
  const inputs = new Inputs(mkdtempSync(join(tmpdir(), "sinogram-compare-")));
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)
    process.once(signal, () => process.exit(code)); // rows so far are in the file
  process.on("exit", () => rmSync(inputs.folder, { recursive: true, force: true }));
  const results = readResults(path, here);
  for (const threads of options.threads.split(",").map(Number)) await compare(threads, results, inputs);
  report(path);
  console.log(`\n${path}`);
}
