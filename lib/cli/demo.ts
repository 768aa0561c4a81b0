/** `sinogram demo`: the shipped case, a measured sinogram of a pelvis with two hip replacements. */
import { join, relative, resolve } from "node:path";
import type { ArrayLike, TypedArray, Volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { makeFolder } from "../core/files.ts";
import { polychromaticMar } from "../mar/polychromatic.ts";
import { correctSinogram, type MarMethod, reinsertMetal } from "../mar/sinogram.ts";
import { type Evaluation, evaluate, protocols } from "../metrics/evaluate.ts";
import { muWater70keV } from "../physics/constants.ts";
import { comparisonPng, windowPng } from "../report/pictures.ts";
import { writePage } from "../report/report.ts";
import { fbp } from "../tomography/fbp.ts";
import { readGeometry } from "../tomography/geometry-file.ts";
import { type Command, huOfMu, jobOptions, load, quietly, type Run, timed } from "./command.ts";
import { describeGeometry } from "./mar-words.ts";
import { checkFolderTarget, withFileOutputs } from "./outputs.ts";

interface Candidate {
  name: string;
  file: string;
  /** 1/mm, without metal put back. */
  images: Volume<TypedArray>;
  seconds?: number;
  figures?: Evaluation;
}

const caseFolder = resolve(import.meta.dirname, "../../examples/demo");
const protocol = "syndeeplesion";
/** HU from black to white. */
const window = [-160, 240] as const;

export function demo({ output }: { output: string }): Command {
  return async (run) => {
    await checkFolderTarget(output, true);
    const at = (name: string) => join(caseFolder, name);
    const geometry = await readGeometry(at("geometry.json")).catch((cause) => {
      throw sinoError(
        "ERR_SINO_IO",
        `The demo case is not in ${caseFolder}: it comes with a checkout and the package.`,
        { cause },
      );
    });
    const [sinogram, mask, truth] = await Promise.all(
      ["sinogram.npy", "metal-mask.npy", "truth.npy"].map(async (name) => (await load(at(name), run)).array),
    );
    const known = { metalMask: mask! };
    const options = jobOptions(run);
    const correct = async (method: MarMethod) =>
      (await correctSinogram(sinogram!, known, geometry, { ...options, method })).images;
    const invert = async () =>
      (await polychromaticMar(sinogram!, geometry, { ...options, ...known, guarded: false })).images;
    const candidates = [
      await candidate("Uncorrected", "uncorrected", () => fbp(sinogram!, geometry, options)),
      await candidate("LI", "li", () => correct("li")),
      await candidate("NMAR", "nmar", () => correct("nmar")),
      await candidate("Polychromatic", "polychromatic", () => invert()),
    ];
    for (const each of candidates)
      each.figures = await evaluate(each.images, truth!, { ...quietly(run), mask, protocol, muWater: muWater70keV });
    const shown = await Promise.all(
      [...candidates, { name: "Truth", file: "truth", images: truth! }].map(async ({ name, file, images }) => ({
        name,
        file,
        hu: await inHu(images, candidates[0]!.images, mask!, run),
      })),
    );
    await makeFolder(output);
    const table = tableOf(candidates);
    const files = await withFileOutputs(run.signal, async (outputs) => {
      for (const { file, hu } of shown)
        await outputs.file(join(output, `${file}.png`), await windowPng(hu, 0, window, quietly(run)));
      await outputs.file(
        join(output, "comparison.png"),
        await comparisonPng(
          shown.map(({ hu }) => hu),
          window,
          quietly(run),
        ),
      );
      await writePage(
        {
          title: "Metal artefact reduction: a pelvis with two hip replacements",
          layers: shown,
          after: 3,
          metal: mask!,
          pixelMm: geometry.image.pixelMm,
          facts: [
            ["Case", "drawn, scanned in software: polychromatic, noisy; no patient data"],
            ["Geometry", describeGeometry(geometry)],
            ["µ of water", `${muWater70keV} 1/mm`],
            ["Time", candidates.map(({ name, seconds }) => `${name} ${seconds!.toFixed(2)} s`).join(", ")],
          ],
          notes: [
            "Measured sinogram: LI and NMAR replace the rays that met metal and keep all others as measured.",
            "Polychromatic inversion uses what the rays behind metal still say; it is told where the metal is, not what it is.",
            "The metal of the uncorrected image is put back into every image, the truth included; it takes no part in the figures.",
            "Slices table: change from uncorrected to polychromatic inversion.",
          ],
          tables: [table],
        },
        quietly(run),
        (name, ...chunks) => outputs.file(join(output, name), ...chunks),
      );
    });
    const text = [
      plain(table),
      "",
      "Written:",
      ...files.map((file) => `  ${relative(process.cwd(), file) || file}`),
      "",
    ];
    await run.console.result(
      { protocol, results: candidates.map(({ name, seconds, figures }) => ({ name, seconds, ...figures })), files },
      text.join("\n"),
    );
    return 0;
  };
}

async function candidate(name: string, file: string, make: () => Promise<Volume<TypedArray>>): Promise<Candidate> {
  const [images, seconds] = await timed(make);
  return { name, file, images, seconds };
}

async function inHu(images: Volume<TypedArray>, uncorrected: ArrayLike, mask: ArrayLike, run: Run): Promise<Volume> {
  return huOfMu(await reinsertMetal(images, uncorrected, mask, quietly(run)), muWater70keV, run);
}

function tableOf(candidates: readonly Candidate[]) {
  return {
    caption: `Against the truth, protocol ${protocol}: ${protocols[protocol].description}`,
    columns: ["", "PSNR, dB", "SSIM", "RMSE, HU", "time, s"],
    rows: candidates.map(({ name, seconds, figures }) => [
      name,
      figures!.psnr.toFixed(2),
      figures!.ssim.toFixed(4),
      figures!.rmseHu.toFixed(1),
      seconds!.toFixed(2),
    ]),
  };
}

function plain({ caption, columns, rows }: ReturnType<typeof tableOf>): string {
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(14) : cell.padStart(10))).join("");
  return [caption, "", line(columns), ...rows.map(line)].join("\n");
}
