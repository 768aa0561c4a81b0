/**
 * From a results file: charts beside it, and the tables of docs/performance.md between their markers.
 *
 *     node --import tsx bench/compare/report.ts [bench/results/….json]     the newest of bench/results by default
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { type Bars, barChart, type Line, lineChart } from "./chart.ts";
import type { Measured, Results, Row } from "./results.ts";
import { median } from "./statistics.ts";

const root = resolve(import.meta.dirname, "../..");
const resultsFolder = join(root, "bench/results");
const page = join(root, "docs/performance.md");

const ours = (row: Row): Measured | undefined => row.contenders.find(({ name }) => name === "sinogram");
const perSlice = (row: Row, one: Measured): number => one.wall!.median / (row.unit === "GUPS" ? row.slices : 1);
const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function rate(row: Row, one: Measured): string {
  const ms = one.wall!.median;
  if (row.unit === "GUPS") return `${digits(row.work / ms / 1e6)} GUPS`;
  if (row.unit === "Mpx/s") return `${digits(row.work / ms / 1e3)} Mpx/s`;
  return `${digits((row.work / ms) * 1e3)} slices/s`;
}

/** One line per contender: the row's name only in the first. */
function linesOf(row: Row): string[] {
  const own = ours(row);
  return row.contenders.map((one, i) => {
    const what = i === 0 ? [row.id.split("/").slice(1).join(" "), String(row.threads)] : ["", ""];
    const cpu = one.cpu && own?.cpu && one !== own ? digits(one.cpu.median / own.cpu.median) : "";
    const ratio = one.ratio;
    const cells = one.wall
      ? [
          digits(perSlice(row, one)),
          rate(row, one),
          ratio ? `**${digits(ratio.median)}** (${digits(ratio.low)} – ${digits(ratio.high)})` : "",
          cpu,
        ]
      : ["–", one.skipped ?? "", "", ""];
    const apart = one.agreement?.relativeL2.toExponential(1) ?? "";
    return `| ${[...what, one.name, ...cells, apart, one.error?.toExponential(1) ?? ""].join(" | ")} |`;
  });
}

function table(rows: readonly Row[]): string[] {
  return [
    "| case | threads | | ms per slice | rate | their time ÷ ours (quartiles) | in CPU time | apart from ours | error |",
    "|---|---|---|---|---|---|---|---|---|",
    ...rows.flatMap(linesOf),
  ];
}

/** Tables of the rows whose id begins so, one for each headline. */
function tables(results: Results, ...prefixes: readonly string[]): string {
  const rows = results.rows.filter(({ id }) => prefixes.some((prefix) => id.startsWith(prefix)));
  const headlines = [...new Set(rows.map((row) => row.table))];
  if (rows.length === 0) return "Not measured in this file.";
  return headlines
    .flatMap((name) => [`*${name}*`, "", ...table(rows.filter((row) => row.table === name)), ""])
    .join("\n")
    .trim();
}

function growthRows(results: Results, kind: string, operation: string, threads: number): [number, Row][] {
  return results.rows
    .filter((row) => row.id.startsWith(`growth-${kind}-`) && row.operation === operation && row.threads === threads)
    .map((row): [number, Row] => [Number(row.id.split("/")[0]!.split("-").at(-1)), row])
    .toSorted(([a], [b]) => a - b);
}

function growthLines(rows: readonly [number, Row][]): Line[] {
  const names = [...new Set(rows.flatMap(([, row]) => row.contenders.map(({ name }) => name)))];
  const lines = names.map((name) => ({
    name,
    points: rows.flatMap(([at, row]) => {
      const one = row.contenders.find((contender) => contender.name === name);
      return one?.wall ? [[at, one.wall.median] as const] : [];
    }),
  }));
  return lines.filter((line) => line.points.length > 0);
}

const labels: Record<string, string> = { size: "pixels along a side", views: "views", slices: "slices" };

function growth(results: Results, kind: string, base: string): string {
  const parts: string[] = [];
  for (const operation of ["project", "fbp"])
    for (const threads of [1, 2]) {
      const rows = growthRows(results, kind, operation, threads);
      if (rows.length === 0) continue;
      const names = [...new Set(rows.flatMap(([, row]) => row.contenders.map(({ name }) => name)))];
      parts.push(`*${operation}, ${threads} thread${threads > 1 ? "s" : ""}, ms per call*`, "");
      parts.push(`| ${labels[kind]} | ${names.join(" | ")} | our rate |`, `|---${"|---".repeat(names.length + 1)}|`);
      for (const [at, row] of rows) {
        const cells = names.map((name) => {
          const one = row.contenders.find((contender) => contender.name === name);
          return one?.wall ? digits(one.wall.median) : "–";
        });
        const own = ours(row);
        parts.push(`| ${at} | ${cells.join(" | ")} | ${own?.wall ? rate(row, own) : ""} |`);
      }
      parts.push("");
      if (threads !== 1) continue;
      const file = `${base}-growth-${kind}-${operation}.svg`;
      const title = `${operation === "fbp" ? "FBP" : "Projection"} as ${kind} grow${kind === "size" ? "s" : ""}, one thread`;
      writeFileSync(file, lineChart(title, labels[kind]!, "ms per call", growthLines(rows)));
      parts.push(`![${title}](${relative(join(root, "docs"), file)})`, "");
    }
  return parts.join("\n").trim() || "Not measured in this file.";
}

/** Time per slice of every operation at 512², one thread, everybody's better batch size. */
function overview(results: Results, base: string): string {
  const groups: Bars[] = [];
  for (const operation of ["project", "backproject", "fbp"]) {
    const best = new Map<string, number>();
    for (const row of results.rows) {
      if (!/^(parallel|torch|skimage)-512\//.test(row.id) || row.operation !== operation || row.threads !== 1) continue;
      for (const one of row.contenders)
        if (one.wall && !(one.name === "sinogram" && !row.id.startsWith("parallel")))
          best.set(one.name, Math.min(best.get(one.name) ?? Number.POSITIVE_INFINITY, perSlice(row, one)));
    }
    const bars = [...best].map(([name, value]) => ({ name, value })).toSorted((a, b) => a.value - b.value);
    if (bars.length > 0) groups.push({ name: operation, bars });
  }
  if (groups.length === 0) return "Not measured in this file.";
  const file = `${base}-512.svg`;
  writeFileSync(file, barChart("512² parallel beam, 720 views, one thread, ms per slice (logarithmic)", "ms", groups));
  return `![Time per slice at 512²](${relative(join(root, "docs"), file)})`;
}

function machineText(results: Results, path: string): string {
  const { cpu, cpuId, cores, memoryGiB, simdOfCpu, system } = results.machine;
  const times = results.rows.map((row) => row.measured).toSorted();
  const loads = results.rows.flatMap((row) => row.load).toSorted((a, b) => a - b);
  const versions = Object.entries(results.versions).map(([name, version]) => `${name} ${version}`);
  const revisions = [...new Set(results.rows.map((row) => row.revision))];
  const busy = median(loads) > cores / 2;
  return [
    `- ${cpu} (${cpuId}), ${cores} cores, ${memoryGiB} GiB, ${system}; ${simdOfCpu}`,
    `- ${versions.join(", ")}`,
    `- measured ${times[0]?.slice(0, 16)} to ${times.at(-1)?.slice(0, 16)} UTC at revision ${revisions.join(", ")}; load average ${loads[0]} to ${loads.at(-1)}`,
    ...(busy
      ? ["- **The machine was busy with other work: times are long; ratios and CPU times are what counts here.**"]
      : []),
    `- everything, with samples' quartiles and CPU times: [${basename(path)}](${relative(join(root, "docs"), path)})`,
  ].join("\n");
}

/** Charts beside the file; the sections by marker name. */
function sections(path: string): Record<string, string> {
  const results = JSON.parse(readFileSync(path, "utf8")) as Results;
  const base = path.replace(/\.json$/, "");
  return {
    machine: machineText(results, path),
    overview: overview(results, base),
    "parallel-256": tables(results, "parallel-256", "torch-256", "skimage-256"),
    "parallel-512": tables(results, "parallel-512", "torch-512", "skimage-512"),
    "parallel-1024": tables(results, "parallel-1024", "torch-1024", "skimage-1024"),
    fan: tables(results, "fan-"),
    distance: tables(results, "distance-"),
    dicom: tables(results, "dicom"),
    "growth-size": growth(results, "size", base),
    "growth-views": growth(results, "views", base),
    "growth-slices": growth(results, "slices", base),
  };
}

/** Replaces what stands between `<!-- measured: NAME -->` and the next `<!-- end -->`. */
export function filled(text: string, parts: Record<string, string>): string {
  return text.replaceAll(/(<!-- measured: (\S+) -->\n)[\s\S]*?(<!-- end -->)/g, (whole, open, name, close) =>
    parts[name] === undefined ? whole : `${open}\n${parts[name]}\n\n${close}`,
  );
}

/** Draws the charts of a results file; docs/performance.md follows only files of bench/results. */
export function report(path: string): void {
  const parts = sections(path);
  if (resolve(path).startsWith(resultsFolder)) writeFileSync(page, filled(readFileSync(page, "utf8"), parts));
}

if (import.meta.filename === process.argv[1]) {
  const newest = readdirSync(resultsFolder)
    .filter((name) => name.endsWith(".json"))
    .toSorted()
    .at(-1);
  const path = process.argv[2] ?? (newest ? join(resultsFolder, newest) : undefined);
  if (!path) throw new Error("There is no results file yet: run npm run bench -- compare.");
  report(resolve(path));
  console.log(`charts and docs/performance.md from ${path}`);
}
