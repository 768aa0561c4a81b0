/** Markdown tables of a suite's records. */
import type { Record } from "./records.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const spread = (values: readonly number[]): number => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
};
const signed = (value: number, digits = 2): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

export function markdown(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = rows;
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head!), line(head!.map((_, i) => (i === 0 ? "---" : "---:"))), ...body.map(line)].join("\n");
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];
const of = (records: readonly Record[], method: string) => records.filter((record) => record.method === method);
const seconds = (records: readonly Record[]) => mean(records.map((r) => r.processorSeconds)).toFixed(2);

/** PSNR/SSIM by metal size, published rows beneath. */
export function protocolTable(records: readonly Record[], groups: readonly string[]): string {
  const cell = (found: readonly Record[]) =>
    found.length === 0
      ? "–"
      : `${mean(found.map((r) => r.psnr)).toFixed(2)} / ${mean(found.map((r) => r.ssim)).toFixed(4)}`;
  const worst = (found: readonly Record[]) => Math.min(...found.map((r) => r.psnr)).toFixed(2);
  const rows = unique(records.map((r) => r.method)).map((method) => {
    const own = of(records, method);
    const sized = groups.map((size) => cell(own.filter((r) => r.labels["size"] === size)));
    return [method, ...sized, cell(own), worst(own), seconds(own)];
  });
  return markdown([["PSNR dB / SSIM", ...groups, "average", "worst", "processor s"], ...rows]);
}

/** Means of every method. */
export function scoreTable(records: readonly Record[]): string {
  const rows = unique(records.map((r) => r.method)).map((method) => {
    const own = of(records, method);
    const figure = (name: "psnr" | "ssim" | "rmse" | "near" | "far", digits: number) =>
      mean(own.map((r) => r[name])).toFixed(digits);
    return [
      method,
      figure("psnr", 2),
      figure("ssim", 4),
      figure("rmse", 1),
      figure("near", 1),
      figure("far", 1),
      seconds(own),
    ];
  });
  const head = [
    "method",
    "PSNR, dB",
    "SSIM",
    "RMSE, HU",
    "soft tissue to 20 px, HU",
    "soft tissue beyond, HU",
    "processor s",
  ];
  return markdown([head, ...rows]);
}

export interface Gain {
  case: string;
  gain: number;
  record: Record;
}

/** dB of one method over another, case by case. */
export function gains(records: readonly Record[], method: string, over: string): Gain[] {
  const base = new Map(of(records, over).map((r) => [r.case, r.psnr]));
  return of(records, method).flatMap((record) => {
    const before = base.get(record.case);
    return before === undefined ? [] : [{ case: record.case, gain: record.psnr - before, record }];
  });
}

const summary = (found: readonly Gain[], limit: number): string[] => {
  if (found.length === 0) return ["–", "–", "–", "–", "–"];
  const values = found.map(({ gain }) => gain);
  const least = found.reduce((a, b) => (b.gain < a.gain ? b : a));
  const below = values.filter((gain) => gain < -limit).length;
  return [signed(mean(values)), spread(values).toFixed(2), signed(least.gain), String(below), least.case];
};

/** Numbers by size, "<100 px" before "100–300 px"; words by the alphabet. */
function inOrder(a: string, b: string): number {
  const number = (text: string) => (text.startsWith("<") ? 0 : Number(/^\D?(\d+(?:e\d+)?)/.exec(text)?.[1]));
  return number(a) - number(b) || a.localeCompare(b);
}

/** What a method gains over another, all cases and by every label. */
export function gainTable(records: readonly Record[], method: string, over: string, limit: number): string {
  const all = gains(records, method, over);
  const rows: string[][] = [["all", String(all.length), ...summary(all, limit)]];
  const without = all.filter(({ record }) => record.labels["metal"] !== "amalgam");
  rows.push(["without amalgam", String(without.length), ...summary(without, limit)]);
  for (const label of ["level", "metal", "photons", "size", "tuned"])
    for (const value of unique(all.map(({ record }) => record.labels[label]!)).sort(inOrder)) {
      const own = all.filter(({ record }) => record.labels[label] === value);
      rows.push([value, String(own.length), ...summary(own, limit)]);
    }
  return markdown([["cases", "n", "gain, dB", "spread", "least", `below −${limit}`, "which is least"], ...rows]);
}
