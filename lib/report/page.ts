/** The HTML of a report, as chunks. No request leaves the page: the policy in its head forbids them. */
import { createHash } from "node:crypto";
import type { EmbeddedSlice } from "./embed.ts";
import type { ReportInput, ReportTable } from "./report.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";

export interface PageSlice {
  slice: number;
  /** Which of the embedded slices it is; −1 where it is not. */
  embedded: number;
  metalPixels: number;
  meanChange: number;
  largestChange: number;
  seconds?: number;
}

export interface PageModel {
  rows: number;
  columns: number;
  slices: readonly PageSlice[];
  /** Embedded slice that is shown first. */
  start: number;
  /** Slices with metal. */
  affected: number;
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (letter) => escapes[letter]!);

/** JSON that cannot end the script element around it. */
const embedJson = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");
const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

export function pageChunks(input: ReportInput, model: PageModel, embedded: readonly EmbeddedSlice[]): string[] {
  const names = input.layers.map(({ name }) => name);
  const { slices, ...rest } = model;
  const data = {
    ...rest,
    pixelMm: input.pixelMm,
    layers: names,
    after: input.after ?? 1,
    counts: slices.map(({ metalPixels }) => metalPixels),
    slices: slices.filter((s) => s.embedded >= 0).map(({ slice }) => slice),
    hasMetal: input.metal !== undefined,
    unit: unitOf(input),
    window: input.windows?.[0]?.slice(1) ?? [40, 400],
  };
  const policy = `default-src 'none'; img-src data:; style-src ${hashOf(style)}; script-src ${hashOf(script)}`;
  return [
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<title>${escapeHtml(input.title)}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${escapeHtml(input.title)}</h1><p>sinogram report</p></header>
<main>
${viewer(names, model, input)}
<aside>
${facts(input)}
${(input.tables ?? []).map(table).join("\n")}
${notes(input, model)}
</aside>
${sliceTable(model, unitOf(input))}
</main>
<script type="application/json" id="model">${embedJson(data)}</script>
`,
    ...embedded.flatMap(({ layers, metal }, i) => [
      ...layers.map((packed, k) => `<script type="application/octet-stream" id="s${i}l${k}">${packed}</script>\n`),
      ...(metal ? [`<script type="application/octet-stream" id="s${i}m">${metal}</script>\n`] : []),
    ]),
    `<script>${script}</script>\n</body>\n</html>\n`,
  ];
}

const unitOf = ({ unit = "HU" }: ReportInput): string => unit;

const presets = [
  ["Brain", 40, 80],
  ["Soft tissue", 40, 400],
  ["Lung", -600, 1500],
  ["Bone", 400, 1800],
  ["Metal", 1000, 4000],
] as const;

function viewer(names: readonly string[], model: PageModel, input: ReportInput): string {
  const { after = 1, metal, windows = presets } = input;
  const unit = escapeHtml(unitOf(input));
  const [, centre0, width0] = windows[input.windows ? 0 : 1]!;
  const options = (selected: number) =>
    names
      .map((name, k) => `<option value="${k}"${k === selected ? " selected" : ""}>${escapeHtml(name)}</option>`)
      .join("");
  const buttons = windows
    .map(
      ([name, centre, width], i) =>
        `<button type="button" data-centre="${centre}" data-width="${width}" aria-pressed="false" title="centre ${centre}, width ${width} ${unit} (key ${i + 1})">${escapeHtml(name)}</button>`,
    )
    .join("");
  const count = model.slices.filter((s) => s.embedded >= 0).length;
  return `<section class="viewer" aria-label="Viewer">
<div class="bar">
<div class="group" role="group" aria-label="Window">${buttons}</div>
<label>centre <input id="centre" type="number" step="10" value="${centre0}"></label>
<label>width <input id="width" type="number" step="10" min="1" value="${width0}"></label>
</div>
<div class="bar">
<div class="group" role="group" aria-label="View">
<button type="button" data-view="slider" aria-pressed="true" title="key V">Slider</button><button type="button" data-view="side" aria-pressed="false" title="key V">Side by side</button><button type="button" data-view="difference" aria-pressed="false" title="key D">Difference</button>
</div>
<label>left <select id="left">${options(0)}</select></label>
<label>right <select id="right">${options(after)}</select></label>
${metal ? '<button type="button" id="outline" aria-pressed="false" title="key M">Outline metal</button>' : ""}
</div>
<div id="stage" class="stage" tabindex="0" aria-label="Image. Drag to window, wheel to change the slice, Ctrl and wheel to zoom, Shift and drag to move, double click to reset.">
<div class="pane" id="pane0"><canvas id="canvas0"></canvas></div>
<div class="pane" id="pane1"><canvas id="canvas1"></canvas></div>
<div id="divider"><span aria-hidden="true"></span></div>
<span class="tag tl" id="name0"></span><span class="tag tr" id="name1"></span>
<span class="tag bl" id="readout"></span><span class="tag br" id="windowed"></span>
</div>
<label class="wide" id="dividerLabel">divider <input id="position" type="range" min="0" max="1000" value="500"></label>
<label class="wide"${count > 1 ? "" : " hidden"}>slice <input id="slice" type="range" min="0" max="${count - 1}" value="${model.start}"><output id="sliceName"></output></label>
<div id="strip" class="strip" role="img" aria-label="Metal pixels of every slice"></div>
<p class="keys">Keys: <kbd>↑</kbd> <kbd>↓</kbd> slice, <kbd>←</kbd> <kbd>→</kbd> divider, <kbd>1</kbd>–<kbd>5</kbd> windows, <kbd>V</kbd> view, <kbd>D</kbd> difference, <kbd>B</kbd> blink, <kbd>M</kbd> metal, <kbd>R</kbd> reset. Drag: window. Wheel: slice. <kbd>Ctrl</kbd>+wheel: zoom. <kbd>Shift</kbd>+drag: move.</p>
<noscript>The viewer needs JavaScript; the figures below do not.</noscript>
</section>`;
}

function facts({ facts: pairs, seconds }: ReportInput): string {
  const all = seconds === undefined ? pairs : [...pairs, ["Computation", `${seconds.toFixed(2)} s`] as const];
  const items = all.map(([label, value]) => `<dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}</dd>`).join("\n");
  return `<section class="card"><h2>What was done</h2><dl>${items}</dl></section>`;
}

function notes(input: ReportInput, { slices, affected }: PageModel): string {
  const count = slices.filter((s) => s.embedded >= 0).length;
  const embedding = input.importance
    ? `${count} of ${slices.length} slices ${count === 1 ? "is" : "are"} embedded here, those ${input.shown ?? "with the largest errors"}, in whole ${unitOf(input)}.`
    : affected === 0
      ? "No slice has metal; one slice is embedded to look at."
      : count < affected
        ? `${count} of the ${affected} slices with metal are embedded here, those with the most of it, in whole ${unitOf(input)}.`
        : slices.length > count
          ? `${count === 1 ? "The slice" : `All ${count} slices`} with metal ${count === 1 ? "is" : "are"} embedded here, in whole ${unitOf(input)}; the other ${slices.length - count} are unchanged.`
          : `Values are embedded in whole ${unitOf(input)}.`;
  const items = [...input.notes, embedding].map((note) => `<li>${escapeHtml(note)}</li>`);
  const warned = (input.warnings ?? []).map((warning) => `<li class="warning">${escapeHtml(warning)}</li>`);
  return `<section class="card"><h2>How to read it</h2><ul>${items.join("\n")}${warned.join("\n")}</ul><p class="fine">Not a medical device. For research and engineering.</p></section>`;
}

function table({ caption, columns, rows }: ReportTable): string {
  const head = columns.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join("");
  const body = rows.map(
    (row) =>
      `<tr>${row.map((cell, i) => (i === 0 ? `<th scope="row">${escapeHtml(cell)}</th>` : `<td>${escapeHtml(cell)}</td>`)).join("")}</tr>`,
  );
  return `<section class="card"><table><caption>${escapeHtml(caption)}</caption><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></section>`;
}

function sliceTable({ slices }: PageModel, unit: string): string {
  const timed = slices.some(({ seconds }) => seconds !== undefined);
  const rows = slices.map(({ slice, embedded, metalPixels, meanChange, largestChange, seconds }) => {
    const name =
      embedded >= 0 ? `<button type="button" data-slice="${embedded}">${slice + 1}</button>` : String(slice + 1);
    const time = timed ? `<td>${seconds ? seconds.toFixed(3) : "–"}</td>` : "";
    return `<tr${embedded >= 0 ? ` data-row="${embedded}"` : ""}><th scope="row">${name}</th><td>${metalPixels}</td><td>${meanChange.toFixed(2)}</td><td>${largestChange.toFixed(0)}</td>${time}</tr>`;
  });
  const time = timed
    ? '<th scope="col" title="of the whole computation, divided by the slices with metal">mean time, s</th>'
    : "";
  return `<section class="card table"><h2>Slices</h2><div class="scroll"><table><thead><tr><th scope="col">slice</th><th scope="col">metal pixels</th><th scope="col">mean |change|, ${escapeHtml(unit)}</th><th scope="col">largest |change|, ${escapeHtml(unit)}</th>${time}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div></section>`;
}
