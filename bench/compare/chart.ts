/** Two small charts as SVG, both on logarithmic axes: lines (cost as something grows) and bars (time per operation). */

export interface Line {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
}

export interface Bars {
  name: string;
  bars: readonly { name: string; value: number }[];
}

const colours = ["#0b6e99", "#d9730d", "#6940a5", "#448361", "#ad1a72", "#9f6b53", "#787774", "#c29343"];
const font = `font-family="system-ui, sans-serif" font-size="12"`;
const ink = "#37352f";

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
/** One colour per name, in the order of the alphabet, ours first. */
function colourOf(names: readonly string[], name: string): string {
  const rank = (one: string) => (one.startsWith("sinogram") ? ` ${one}` : one);
  const sorted = [...names].toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
  return colours[sorted.indexOf(name) % colours.length]!;
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end" = "start", more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${ink}" ${font}${more}>${escaped(words)}</text>`;
}

function page(width: number, height: number, title: string, body: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`;
  const ground = `<rect width="${width}" height="${height}" fill="#ffffff"/>`;
  const heading = text(16, 24, title, "start", ` font-weight="600"`);
  return [head, `<title>${escaped(title)}</title>`, ground, heading, ...body, "</svg>", ""].join("\n");
}

/** Powers of ten that enclose the values. */
function decades(values: readonly number[]): [number, number] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return [low, Math.max(high, low + 1)];
}

const plain = (power: number) =>
  power >= 0 && power < 6 ? String(10 ** power) : power < 0 ? (10 ** power).toFixed(-power) : `1e${power}`;

/** Ticks of x are the measured places themselves. */
export function lineChart(title: string, xLabel: string, yLabel: string, lines: readonly Line[]): string {
  const [width, height, left, right, top, bottom] = [720, 420, 70, 190, 44, 52];
  const names = lines.map((line) => line.name);
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(([x]) => x))].toSorted((a, b) => a - b);
  const [lowX, highX] = [Math.log(xs[0]!), Math.log(Math.max(xs.at(-1)!, xs[0]! * 2))];
  const [lowY, highY] = decades(points.map(([, y]) => y));
  const atX = (x: number) => left + ((Math.log(x) - lowX) / (highX - lowX)) * (width - left - right);
  const atY = (y: number) => height - bottom - ((Math.log10(y) - lowY) / (highY - lowY)) * (height - top - bottom);
  const body: string[] = [];
  for (let power = lowY; power <= highY; power++) {
    const y = atY(10 ** power);
    body.push(`<line x1="${left}" x2="${width - right}" y1="${y}" y2="${y}" stroke="#e3e2e0"/>`);
    body.push(text(left - 8, y + 4, plain(power), "end"));
  }
  for (const x of xs) body.push(text(atX(x), height - bottom + 18, String(x), "middle"));
  body.push(text((left + width - right) / 2, height - 12, xLabel, "middle"));
  const turned = ` transform="rotate(-90 16 ${height / 2})"`;
  body.push(text(16, height / 2, yLabel, "middle", turned));
  for (const [i, { name, points: places }] of lines.entries()) {
    const colour = colourOf(names, name);
    const path = places.map(([x, y]) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`);
    body.push(`<polyline points="${path.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const place of path) {
      const [x, y] = place.split(",");
      body.push(`<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`);
    }
    const y = top + 14 + i * 20;
    body.push(`<rect x="${width - right + 16}" y="${y - 9}" width="12" height="10" fill="${colour}"/>`);
    body.push(text(width - right + 34, y, name));
  }
  return page(width, height, title, body);
}

/** Horizontal bars in groups; the value stands behind each. */
export function barChart(title: string, unit: string, groups: readonly Bars[]): string {
  const [width, left, right, row, gap] = [720, 190, 90, 20, 30];
  const names = [...new Set(groups.flatMap((group) => group.bars.map((bar) => bar.name)))];
  const [low, high] = decades(groups.flatMap((group) => group.bars.map((bar) => bar.value)));
  const lengthOf = (value: number) => Math.max(1, ((Math.log10(value) - low) / (high - low)) * (width - left - right));
  const body: string[] = [];
  let y = 44;
  for (const { name, bars } of groups) {
    y += gap;
    body.push(text(16, y - 8, name, "start", ` font-weight="600"`));
    for (const bar of bars) {
      const length = lengthOf(bar.value);
      body.push(text(left - 8, y + 13, bar.name, "end"));
      const colour = colourOf(names, bar.name);
      body.push(`<rect x="${left}" y="${y + 2}" width="${length.toFixed(1)}" height="${row - 5}" fill="${colour}"/>`);
      body.push(
        text(
          left + length + 6,
          y + 13,
          `${bar.value >= 100 ? bar.value.toFixed(0) : bar.value.toPrecision(3)} ${unit}`,
        ),
      );
      y += row;
    }
  }
  return page(width, y + 20, title, body);
}
