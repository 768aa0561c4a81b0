/**
 * Metal artefact reduction measured in two ways that are never mixed: by the field's protocol, where scan and correction share one
 * simulator, and by the mismatch suite, whose scans come from another one (bench/mismatch).
 *
 *     npm run bench:mar -- --suite protocol|full|short|tuning|mixed|mixed-tuning [--rounds 4] [--methods NMAR,auto] [--only e03] [--write]
 *     npm run bench:mar -- --suite short --model RUN [--precision int8]             # another network than models/ct-prior
 *
 * Goes on where an interrupted call stopped; what other code has made is made again, or, with `--any-code`, kept. `--write` puts the
 * tables into docs/mar-evaluation.md and the figures into bench/results/mar-SUITE.json.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Precision } from "../../lib/models/index.ts";
import { type Prepared, type SuiteCase, type SuiteName, suiteNamed, suiteNames } from "./cases.ts";
import { type Method, networkMethods, physicsAlone } from "./methods.ts";
import { sizeGroups } from "./protocol-pairs.ts";
import { codeHash, type Record, Records } from "./records.ts";
import { scoreOf } from "./score.ts";
import { gainTable, protocolTable, scoreTable } from "./tables.ts";

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    suite: { type: "string", default: "short" },
    rounds: { type: "string", default: "4" },
    methods: { type: "string" },
    model: { type: "string" },
    precision: { type: "string" },
    only: { type: "string", default: "" },
    "any-code": { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const suiteName = values.suite as SuiteName;
if (!suiteNames.includes(suiteName))
  throw new Error(`Expected --suite ${suiteNames.join(", ")} but received ${values.suite}.`);
const suite = await suiteNamed(suiteName, Number(values.rounds));
const knowsMask = suiteName.startsWith("protocol");
const networks = await networkMethods(values.model, { knowsMask, precision: values.precision as Precision });
const { cases } = suite;
const methods: { readonly [name: string]: Method } = { ...suite.methods, ...networks };
const names = values.methods?.split(",") ?? Object.keys(methods);
const unknown = names.find((name) => !Object.hasOwn(methods, name));
if (unknown) throw new Error(`Expected methods among ${Object.keys(methods).join(", ")} but received ${unknown}.`);
const chosen = cases.filter(({ name }) => name.includes(values.only));

async function run(item: SuiteCase, prepared: Prepared, name: string, method: Method): Promise<Record> {
  const [clock, processor] = [performance.now(), process.cpuUsage()];
  const { image, verdict } = await method.run(prepared);
  const used = process.cpuUsage(processor);
  const seconds = (performance.now() - clock) / 1000;
  const score = await scoreOf(image, prepared.truth, prepared.metal);
  const times = { processorSeconds: (used.user + used.system) / 1e6, seconds };
  return { case: item.name, method: name, labels: item.labels, ...score, ...times, ...(verdict ? { verdict } : {}) };
}

function say({ case: item, method, psnr, near, processorSeconds, verdict }: Record): void {
  const signals = Object.values(verdict?.signals ?? {}).map((value) => value.toFixed(3));
  const said = verdict
    ? `${verdict.verdict} ${verdict.material} ×${verdict.density?.toFixed(2)} ${signals.join(" ")}`
    : "";
  const figures = `${psnr.toFixed(2)} dB  near ${near.toFixed(0)} HU  ${processorSeconds.toFixed(1)} s`;
  process.stderr.write(`${item.padEnd(52)} ${method.padEnd(16)} ${figures}  ${said}\n`);
}

const records = new Records(join(root, "bench/out/mar", `${suiteName}.ndjson`), { anyCode: values["any-code"] });
for (const item of chosen) {
  const missing = names.filter((name) => !records.get(item.name, name));
  if (missing.length === 0) continue;
  const prepared = await item.prepare();
  for (const name of missing) {
    const record = await run(item, prepared, name, methods[name]!);
    records.add(record);
    say(record);
  }
}
const made = chosen.flatMap(({ name }) => names.flatMap((method) => records.get(name, method) ?? []));

function tablesOf(found: readonly Record[]): string {
  if (suiteName.startsWith("protocol")) return protocolTable(found, sizeGroups);
  const parts = [scoreTable(found)];
  for (const [method, over, limit] of [
    ["auto", "NMAR", 0.1],
    ["auto", "NMAR true mask", 0.3],
    [physicsAlone, "NMAR", 0.1],
    [physicsAlone, "NMAR true mask", 0.3],
    ["polychromatic", "NMAR", 0.1],
  ] as const)
    if (names.includes(method) && names.includes(over))
      parts.push(`\n${method} over ${over}:\n`, gainTable(found, method, over, limit));
  return parts.join("\n");
}

const text = tablesOf(made);
console.log(`${chosen.length} cases of ${suiteName}\n\n${text}`);

/** Puts text between <!-- NAME --> and <!-- /NAME --> of the page. */
function putTable(page: string, name: string, table: string): void {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const before = readFileSync(page, "utf8");
  const [from, to] = [before.indexOf(open), before.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for ${name}.`);
  writeFileSync(page, `${before.slice(0, from + open.length)}\n${table}\n${before.slice(to)}`);
}

if (values.write) {
  const machine = { processor: cpus()[0]?.model ?? "unknown", threads: availableParallelism(), node: process.version };
  const about = {
    suite: suiteName,
    code: codeHash(),
    machine,
    methods: names.map((name) => ({ name, told: methods[name]!.told })),
  };
  const short = (_: string, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(6)) : value);
  const lines = made.map((record) => `  ${JSON.stringify(record, short)}`).join(",\n");
  const head = JSON.stringify(about, null, 2).replace(/\n}$/, "");
  writeFileSync(join(root, `bench/results/mar-${suiteName}.json`), `${head},\n  "records": [\n${lines}\n  ]\n}\n`);
  const page = join(root, "docs/mar-evaluation.md");
  if (existsSync(page)) putTable(page, suiteName, text);
}
