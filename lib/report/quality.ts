/** What a restoration did to noise and edges, as tables of a report: noise power where the image is quiet, and its sharpest edge. */
import type { Volume } from "../core/arrays.ts";
import { planesOf } from "../image/input.ts";
import { statistics } from "../image/pixels.ts";
import { edgeProfile, noisePowerSpectrum } from "../metrics/index.ts";
import type { OperationOptions } from "../native/job.ts";
import { type QuietPlaces, quietPlaces, sliceOf } from "../restore/quiet.ts";
import type { ReportTable } from "./report.ts";

export interface QualityOptions extends OperationOptions {
  pixelMm: number;
  unit: string;
}

/** Of the middle slice of two images of one shape. */
export async function qualityTables(before: Volume, after: Volume, options: QualityOptions): Promise<ReportTable[]> {
  const { pixelMm, unit, device, signal } = options;
  const job = { device, signal };
  const { slices } = planesOf(before.shape);
  const middle = slices >> 1;
  const places = await quietPlaces(before, { ...job, slice: middle });
  const [a, b] = [sliceOf(before, middle), sliceOf(after, middle)];
  const noise = places ? [await noiseTable([a, b], places, pixelMm, unit, job)] : [];
  const edge = await edgeTable([a, b], pixelMm, job);
  return [...noise, ...(edge ? [edge] : [])];
}

async function noiseTable(
  images: readonly Volume[],
  { slice, size, regions }: QuietPlaces,
  pixelMm: number,
  unit: string,
  job: OperationOptions,
): Promise<ReportTable> {
  const spectra = [];
  for (const image of images)
    spectra.push(await noisePowerSpectrum(image, { ...job, size, regions, pixelMm, trend: "quadric" }));
  const [before, after] = spectra as [(typeof spectra)[number], (typeof spectra)[number]];
  const rows = [...before.frequencies.keys()].filter((k) => k > 0);
  const ratio = (x: number, y: number) => (y > 0 ? `${((100 * x) / y).toFixed(0)} %` : "–");
  return {
    caption: `Noise power in the ${regions.length} quietest regions of slice ${slice + 1}, ${size} × ${size} pixels`,
    columns: ["1/mm", "before", "after", "left"],
    rows: [
      [`σ, ${unit}`, before.sigma.toPrecision(3), after.sigma.toPrecision(3), ratio(after.sigma, before.sigma)],
      ...rows.map((k) => [
        before.frequencies[k]!.toFixed(2),
        before.radial[k]!.toPrecision(3),
        after.radial[k]!.toPrecision(3),
        ratio(after.radial[k]!, before.radial[k]!),
      ]),
    ],
  };
}

/** Side of the part that holds the edge. */
const side = 32;

/** The part of the image whose halves differ most, where it holds an edge whose width can be measured in both images. */
async function edgeTable(
  images: readonly [Volume, Volume],
  pixelMm: number,
  job: OperationOptions,
): Promise<ReportTable | undefined> {
  const [rows, columns] = images[0].shape as [number, number];
  if (Math.min(rows, columns) < 2 * side) return undefined;
  const part = (image: Volume, row: number, column: number, height = side, width = side) => ({
    data: image.data,
    shape: [height, width],
    stride: [columns, 1],
    offset: image.offset + row * columns + column,
  });
  let best = { step: 0, row: 0, column: 0 };
  for (let row = 0; row + side <= rows; row += side / 2)
    for (let column = 0; column + side <= columns; column += side / 2) {
      const left = (await statistics(part(images[0], row, column, side, side / 2), job)).mean;
      const right = (await statistics(part(images[0], row, column + side / 2, side, side / 2), job)).mean;
      if (Math.abs(left - right) > best.step) best = { step: Math.abs(left - right), row, column };
    }
  if (!(best.step > 0)) return undefined;
  const found = [];
  for (const image of images) {
    const profile = await edgeProfile(part(image, best.row, best.column), { ...job, pixelMm }).catch(() => undefined);
    if (!profile || Number.isNaN(profile.riseMm)) return undefined;
    found.push(profile);
  }
  const [before, after] = found as [(typeof found)[number], (typeof found)[number]];
  const row = (label: string, of: (p: typeof before) => number, digits: number) => [
    label,
    of(before).toFixed(digits),
    of(after).toFixed(digits),
  ];
  return {
    caption: `The strongest edge of that slice, at row ${best.row + side / 2}, column ${best.column + side / 2}`,
    columns: ["", "before", "after"],
    rows: [
      row("10–90 % rise, mm", (p) => p.riseMm, 2),
      row("MTF at 50 %, 1/mm", (p) => p.mtf50, 2),
      row("MTF at 10 %, 1/mm", (p) => p.mtf10, 2),
    ],
  };
}
