/** The run at a glance: `report.html` with the losses so far, rewritten at every validation; a page that is open follows. */
import type { TrainingConfig } from "./config.ts";
import type { TrainingEvent } from "./train.ts";

const width = 860;
const height = 380;
const edge = { left: 70, right: 20, top: 20, bottom: 40 };
const mostPoints = 600;

type Point = readonly [step: number, loss: number];

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** Means of neighbours, so that long runs stay small. */
function thinned(points: readonly Point[]): Point[] {
  const group = Math.ceil(points.length / mostPoints);
  const result: Point[] = [];
  for (let i = 0; i < points.length; i += group) {
    const some = points.slice(i, i + group);
    result.push([some.at(-1)![0], some.reduce((sum, [, loss]) => sum + loss, 0) / some.length]);
  }
  return result;
}

/** Losses over steps on a logarithmic axis, as SVG. */
export function lossPlot(events: readonly TrainingEvent[]): string {
  const training = thinned(events.flatMap(({ step, loss }) => (loss > 0 ? [[step, loss] as Point] : [])));
  const validation = events.flatMap(({ step, validation: v }) => (v && v > 0 ? [[step, v] as Point] : []));
  const all = [...training, ...validation].map(([, loss]) => Math.log10(loss));
  if (all.length === 0) return "";
  const low = Math.min(...all) - 0.05;
  const high = Math.max(...all) + 0.05;
  const last = Math.max(2, events.at(-1)!.step);
  const x = (step: number) => edge.left + ((step - 1) / (last - 1)) * (width - edge.left - edge.right);
  const y = (loss: number) => edge.top + ((high - Math.log10(loss)) / (high - low)) * (height - edge.top - edge.bottom);
  const line = (points: readonly Point[], style: string) =>
    `<polyline fill="none" ${style} points="${points.map(([s, l]) => `${x(s).toFixed(1)},${y(l).toFixed(1)}`).join(" ")}"/>`;
  const labels = Array.from({ length: 5 }, (_, i) => 10 ** (low + ((high - low) * i) / 4)).map(
    (loss) =>
      `<line x1="${edge.left}" x2="${width - edge.right}" y1="${y(loss).toFixed(1)}" y2="${y(loss).toFixed(1)}" stroke="#ddd"/>` +
      `<text x="${edge.left - 8}" y="${(y(loss) + 4).toFixed(1)}" text-anchor="end">${loss.toPrecision(3)}</text>`,
  );
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Loss over steps" font-size="12" font-family="sans-serif">`,
    ...labels,
    line(training, 'stroke="#4477aa"'),
    line(validation, 'stroke="#cc3311" stroke-width="2"'),
    `<text x="${edge.left}" y="${height - 12}">step 1</text>`,
    `<text x="${width - edge.right}" y="${height - 12}" text-anchor="end">step ${last}</text>`,
    `<text x="${width / 2}" y="${height - 12}" text-anchor="middle"><tspan fill="#4477aa">training</tspan> · <tspan fill="#cc3311">validation</tspan></text>`,
    "</svg>",
  ].join("");
}

/** The page; it loads itself again while the run goes on. */
export function trainingPage(config: TrainingConfig, events: readonly TrainingEvent[]): string {
  const last = events.at(-1)!;
  const refresh = last.step < config.steps ? '<meta http-equiv="refresh" content="30">' : "";
  const title = escaped(config.name ?? config.network.kind);
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8">${refresh}<title>${title}</title></head>`,
    '<body style="font-family:sans-serif;max-width:60rem;margin:2rem auto">',
    `<h1>${title}</h1><p>Step ${last.step} of ${config.steps}, loss ${last.loss.toPrecision(4)}.</p>`,
    lossPlot(events),
    `<pre>${escaped(JSON.stringify(config, null, 2))}</pre></body></html>\n`,
  ].join("\n");
}
