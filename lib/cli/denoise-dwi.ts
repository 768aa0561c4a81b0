/** `sinogram denoise-dwi`: a diffusion scan cleaned by what it knows of itself. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { version } from "../core/version.ts";
import type { LoadedArray } from "../data/array-files.ts";
import { type Shell, shellNear, shellsOf } from "../dwi/gradients.ts";
import { type Denoised, type Gradients, noise2noise, patch2self, readGradients, structureScore } from "../dwi/index.ts";
import { volumeData } from "../dwi/slices.ts";
import { statistics } from "../image/pixels.ts";
import { psnr, ssim } from "../metrics/index.ts";
import { type ReportInput, writePage } from "../report/report.ts";
import { type Command, jobOptions, load, quietly, type Run, sizes, timed } from "./command.ts";
import { toJson } from "./console.ts";
import { checkFileTarget, withFileOutputs } from "./outputs.ts";
import { duration } from "./progress.ts";

export interface DenoiseDwiOptions {
  bval: string;
  bvec: string;
  output: string;
  method: "noise2noise" | "patch2self";
  pairs: "others" | "nearest";
  patches?: "slices" | "volumes";
  shell?: number;
  epochs?: number;
  seed?: number;
  sigma?: number | "auto";
  model?: string;
  keep?: string;
  report?: boolean;
}

const niftiEnding = /\.nii(\.gz)?$/i;

export function denoiseDwi(input: string, given: DenoiseDwiOptions): Command {
  return async (run) => {
    const { output, method } = given;
    if (!niftiEnding.test(output))
      throw sinoError(
        "ERR_SINO_UNSUPPORTED",
        `Expected an output that ends in .nii or .nii.gz but received ${output}.`,
      );
    const beside = (ending: string) => output.replace(niftiEnding, ending);
    const targets = [output, beside(".bval"), beside(".bvec"), beside(".json")];
    const report = join(dirname(output), "report.html");
    for (const path of given.report ? [...targets, report] : targets)
      await checkFileTarget(path, [input, given.bval, given.bvec]);
    const loaded = await load(input, run);
    const scan = scanOf(loaded);
    const gradients = await readGradients(given.bval, given.bvec, scan.shape[0]);
    const [denoised, seconds] = await timed(() => denoise(scan, gradients, given, run));
    const figures = await figuresOf(scan, denoised, run);
    const paths = await withFileOutputs(run.signal, async (outputs) => {
      const { header } = loaded.meta;
      await outputs.array(output, denoised.dwi, header ? { header } : {});
      await outputs.file(beside(".bval"), await bytesOf(given.bval));
      await outputs.file(beside(".bvec"), await bytesOf(given.bvec));
      const record = { ...recordOf(input, given, denoised, figures), seconds, warnings: run.console.warnings };
      await outputs.file(beside(".json"), `${toJson({ ...(await sidecarOf(input)), ...record })}\n`);
      if (given.report)
        await writePage(
          pageOf(input, scan, denoised, given, figures, seconds, pixelOf(loaded), run),
          quietly(run),
          (_, ...chunks) => outputs.file(report, ...chunks),
        );
    });
    run.console.log(
      `${output}: ${sizes(scan.shape)}, shell b = ${denoised.shell.b.toFixed(0)}, ${seconds.toFixed(1)} s`,
    );
    await run.console.result(
      { output, files: paths, method, shell: denoised.shell.b, sigma: denoised.sigma, ...figures, seconds },
      table(figures, denoised),
    );
    return 0;
  };
}

/** Throws ERR_SINO_SHAPE where the file is no scan of several volumes. */
function scanOf({ array, meta }: LoadedArray): Volume {
  if (array.shape.length !== 4 || array.shape[0]! < 2)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a 4-D scan of several volumes in ${meta.path} but found an array of shape [${array.shape.join(", ")}].`,
      { details: { path: meta.path, shape: array.shape } },
    );
  return volume(Float32Array.from(array.data), array.shape);
}

async function denoise(scan: Volume, gradients: Gradients, given: DenoiseDwiOptions, run: Run): Promise<Denoised> {
  const { pairs, patches, epochs, seed, model, keep, sigma } = given;
  const shell = shellNear(shellsOf(gradients.bvals), given.shell);
  if (shell.volumes.length < 10)
    run.console.warn(
      `The shell has ${shell.volumes.length} directions: with fewer than ten, volumes say little of each other.`,
    );
  if (given.method === "patch2self")
    return same(await patch2self(scan, { ...jobOptions(run), bvals: gradients.bvals }), shell);
  const recent: number[] = [];
  return noise2noise(scan, {
    ...quietly(run),
    gradients,
    shell: given.shell,
    pairs,
    patches,
    epochs,
    seed,
    model,
    folder: keep,
    sigma,
    threads: run.options.threads,
    onTraining({ step, steps, loss, seconds }) {
      recent.push(seconds);
      if (recent.length > 20) recent.shift();
      const left = (recent.reduce((a, b) => a + b, 0) / recent.length) * (steps - step);
      const text = `step ${step}/${steps}, loss ${loss.toPrecision(4)}, ${duration(left)} left`;
      run.console.progressText(text, { phase: "train", done: step, total: steps });
    },
  });
}

const same = (dwi: Volume, shell: Shell): Denoised => ({ dwi, means: dwi, shell, sigma: 0 });

interface Figures {
  /** Of the result against the scan, over the shell: how much was changed, not how good it is. */
  readonly psnrToInput: number;
  readonly ssimToInput: number;
  /** 1: what was taken away is white noise. */
  readonly structure: number;
}

async function figuresOf(scan: Volume, { dwi, means, shell }: Denoised, run: Run): Promise<Figures> {
  const space = scan.shape.slice(1);
  const options = quietly(run);
  const rows: [number, number, number][] = [];
  for (const index of shell.volumes) {
    const before = volume(volumeData(scan, index), space);
    const after = volume(volumeData(dwi, index), space);
    const { minimum, maximum } = await statistics(before, options);
    const range = { ...options, range: maximum - minimum };
    const canSsim = space.slice(1).every((n) => n >= 11);
    rows.push([
      mean(await psnr(after, before, range)),
      canSsim ? mean(await ssim(after, before, range)) : Number.NaN,
      await structureScore(before, volume(volumeData(means, index), space), options),
    ]);
  }
  const [psnrToInput, ssimToInput, structure] = [0, 1, 2].map((k) => mean(rows.map((row) => row[k]!))) as [
    number,
    number,
    number,
  ];
  return { psnrToInput, ssimToInput, structure };
}

/** Of the finite ones: slices without change have an infinite PSNR. */
function mean(values: ArrayLike<number>): number {
  const finite = Array.from(values).filter(Number.isFinite);
  return finite.reduce((sum, x) => sum + x, 0) / finite.length;
}

const pixelOf = ({ meta }: LoadedArray): [number, number] => {
  const [row = 1, column = 1] = meta.spacing?.slice(-2) ?? [];
  return [row || 1, column || 1];
};

const bytesOf = (path: string): Promise<Uint8Array> =>
  readFile(path).catch((error) => {
    throw ioError("read", path, error);
  });

/** The BIDS sidecar of the input, where there is one. */
async function sidecarOf(input: string): Promise<object> {
  const text = await readFile(input.replace(niftiEnding, ".json"), "utf8").catch(() => "{}");
  try {
    return JSON.parse(text) as object;
  } catch {
    return {};
  }
}

const ricianNote = "Rician bias taken out of the denoised means (Koay and Basser 2006)";

function recordOf(input: string, given: DenoiseDwiOptions, { shell, sigma }: Denoised, figures: Figures): object {
  const { method, pairs, epochs = 20, seed = 0 } = given;
  return {
    Sources: [input],
    GeneratedBy: [{ Name: "sinogram", Version: version, Description: "denoise-dwi" }],
    Denoising: {
      method,
      ...(method === "noise2noise" && { pairs, epochs, seed, rician: sigma > 0 ? ricianNote : "not corrected", sigma }),
      shell: shell.b,
      volumes: shell.volumes,
      ...figures,
    },
  };
}

function pageOf(
  input: string,
  scan: Volume,
  { dwi, shell, sigma }: Denoised,
  given: DenoiseDwiOptions,
  figures: Figures,
  seconds: number,
  pixelMm: readonly [number, number],
  run: Run,
): ReportInput {
  const index = shell.volumes[0]!;
  const space = scan.shape.slice(1);
  const before = volume(volumeData(scan, index), space);
  const after = volume(volumeData(dwi, index), space);
  const brightest = after.data.reduce((most, x) => Math.max(most, x), 0);
  return {
    title: `Diffusion scan, ${given.method === "patch2self" ? "Patch2Self" : "Noise2Noise"}`,
    layers: [
      { name: "Scan", hu: before },
      { name: "Denoised", hu: after },
    ],
    unit: "units of the scan",
    windows: [
      ["All", brightest / 2, brightest],
      ["Dark", brightest / 6, brightest / 3],
    ],
    importance: space
      .slice(0, 1)
      .flatMap((slices) => Array.from({ length: slices }, (_, z) => slices - Math.abs(z - slices / 2))),
    pixelMm,
    seconds,
    facts: [
      ["Input", input],
      ["Shell", `b = ${shell.b.toFixed(0)} s/mm², ${shell.volumes.length} directions; shown: volume ${index}`],
      ["Pairs", given.method === "patch2self" ? "every volume and all others" : given.pairs],
      ["Noise", sigma > 0 ? `${sigma.toPrecision(3)}, ${ricianNote}` : "Rician bias left in"],
    ],
    notes: ["The difference view shows what was taken away: it should look like noise, not like a head."],
    tables: [
      {
        caption: "Result against the scan, over the shell: how much was changed",
        columns: ["figure", "value"],
        rows: [
          ["PSNR", `${figures.psnrToInput.toFixed(2)} dB`],
          ["SSIM", figures.ssimToInput.toFixed(4)],
          ["structure of the residual (white noise: 1)", figures.structure.toFixed(2)],
        ],
      },
    ],
    warnings: run.console.warnings,
  };
}

function table({ psnrToInput, ssimToInput, structure }: Figures, { sigma }: Denoised): string {
  return [
    `PSNR to the scan  ${psnrToInput.toFixed(2)} dB (how much was changed)`,
    `SSIM to the scan  ${ssimToInput.toFixed(4)}`,
    `structure         ${structure.toFixed(2)} (1: what was taken away is white noise)`,
    ...(sigma > 0 ? [`noise             ${sigma.toPrecision(3)}`] : []),
    "",
  ].join("\n");
}
