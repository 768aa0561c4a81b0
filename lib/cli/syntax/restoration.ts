/** Commands and options: denoising, enlarging, motion, brightness; making worse. */
import { type Command as Commander, Option } from "commander";
import { count, pixelSize, positiveNumber, range, sigma, wholeNumber } from "../options.ts";
import { common, precisions, type Start } from "./shared.ts";

function restoring(command: Commander): Commander {
  return common(command)
    .argument("<input>", "DICOM folder, or .npy, .nii, .png, …")
    .requiredOption("-o, --output <path>", "folder for a derived DICOM series, array file otherwise")
    .option("--series <uid>", "which series, where the folder holds several")
    .addOption(new Option("--modality <name>", "what an array file holds: ct is in HU").choices(["ct", "mr"]))
    .option("--pixel-mm <mm>", "pixel size of array files, or row,column spacing", pixelSize)
    .option("--report", "also write report.html and pictures")
    .option("--overwrite", "replace an earlier result in the output folder");
}

/** A network may do it. */
function byNetwork(command: Commander): Commander {
  return command
    .option("--model <name>", "a shipped model, or a folder that train wrote")
    .addOption(
      new Option("--precision <name>", "network: int8 where its card has a calibration; default float32").choices(
        precisions,
      ),
    )
    .option(
      "--explain",
      "network: why it changes what it changes, and whether the images support it; writes the report",
    );
}

export function addDenoise(program: Commander, start: Start): void {
  byNetwork(restoring(program.command("denoise")))
    .summary("noise out of CT, MR or any grey images: a trained network or a classic")
    .description(
      "Denoises a DICOM series (writes a derived series) or an array file. auto takes the shipped network for CT in HU, where the optional " +
        "package onnxruntime-node is there, else bm3d.",
    )
    .addOption(
      new Option("--method <name>", "how")
        .choices(["auto", "network", "nlm", "bm3d", "tv", "bilateral", "median", "gaussian"])
        .default("auto"),
    )
    .option("--strength <factor>", "more or less than the method's own; default 1", positiveNumber)
    .option(
      "--sigma <value>",
      "deviation of the noise, in the image's unit; default where the image is quietest",
      positiveNumber,
    )
    .option("--volume", "nlm, tv, bilateral, gaussian: all slices together, as one volume")
    .option("--slice-mm <mm>", "with --volume: from slice to slice, where the input does not say", positiveNumber)
    .option("--steps <n>", "network that draws out of noise: its runs per drawing; default 10", count)
    .option("--seed <n>", "network that draws: of its noise; default 0", wholeNumber)
    .option("--draws <n>", "network that draws: the mean of so many drawings; default 1", count)
    .action((input, options) => start(async () => (await import("../denoise.ts")).denoise(input, options), options));
}

export function addSuperResolve(program: Commander, start: Start): void {
  byNetwork(restoring(program.command("super-resolve")))
    .summary("twice as many rows and columns: a trained network, or interpolated")
    .description("Enlarges slices of a DICOM series or an array file into an array file, over the same extent.")
    .addOption(new Option("--method <name>", "how").choices(["network", "lanczos", "bicubic"]).default("lanczos"))
    .option("--factor <n>", "lanczos, bicubic: how many times; default 2", count)
    .action((input, options) =>
      start(async () => (await import("../super-resolve.ts")).superResolve(input, options), options),
    );
}

export function addCorrectMotion(program: Commander, start: Start): void {
  restoring(program.command("correct-motion"))
    .summary(
      "ghosts and blur of motion out of MR slices: of complex ones by what makes them sharpest, of magnitudes by a network",
    )
    .description("Corrects slices of an MR series (writes a derived series) or an array file, one by one.")
    .option("--imaginary <file>", "the imaginary part of complex slices, whose real part is the input: needs no model")
    .option("--model <folder>", "for magnitudes: a folder that train wrote; its card says MR")
    .option("--degrees <n>", "with --imaginary: how far the head may turn to either side; default 8", positiveNumber)
    .option("--pixels <n>", "with --imaginary: how far it may move to either side; default 10", positiveNumber)
    .addOption(
      new Option(
        "--phase <axis>",
        'along what the phase was encoded: column is DICOM\'s "COL"; default what the series says, else column',
      ).choices(["column", "row"]),
    )
    .action((input, options) =>
      start(async () => (await import("../correct-motion.ts")).correctMotion(input, options), options),
    );
}

export function addEnhance(program: Commander, start: Start): void {
  restoring(program.command("enhance"))
    .summary("contrast for looking at (CLAHE, histogram), MR brightness made even (N4)")
    .description("Enhances a DICOM series (writes a derived series) or an array file.")
    .addOption(new Option("--method <name>", "how").choices(["clahe", "equalize", "n4"]).default("clahe"))
    .option("--window <low,high>", "clahe, equalize: grey values that are spread; default all of each slice", range)
    .option("--limit <factor>", "clahe: the most that contrast grows; default 2.5", positiveNumber)
    .action((input, options) => start(async () => (await import("../enhance.ts")).enhance(input, options), options));
}

export function addDegrade(program: Commander, start: Start): void {
  restoring(program.command("degrade"))
    .summary("images made worse as physics does: dose, motion, k-space, noise")
    .description("Degrades a DICOM series (writes a derived series) or an array file by a pipeline of steps.")
    .requiredOption("--pipeline <name|file>", "ct-low-dose, mr, or a JSON file")
    .requiredOption("--seed <n>", "of all that is random", wholeNumber)
    .action((input, options) => start(async () => (await import("../degrade.ts")).degrade(input, options), options));
}

export function addDenoiseDwi(program: Commander, start: Start): void {
  common(program.command("denoise-dwi"))
    .summary("a diffusion scan, cleaned by what it knows of itself")
    .description(
      "Denoises one shell of a diffusion-weighted scan: by a network that learns Noise2Noise from the scan itself, or by Patch2Self. " +
        "Writes the scan with the same header, its b-table and a sidecar.",
    )
    .argument("<scan>", "4-D .nii or .nii.gz")
    .requiredOption("--bval <file>", "b-values")
    .requiredOption("--bvec <file>", "gradient directions, three rows or three columns")
    .requiredOption("-o, --output <file>", ".nii or .nii.gz")
    .addOption(new Option("--method <name>", "how").choices(["noise2noise", "patch2self"]).default("noise2noise"))
    .addOption(
      new Option("--pairs <name>", "of a volume: with what all others say of it, or with the nearest direction")
        .choices(["others", "nearest"])
        .default("others"),
    )
    .addOption(
      new Option("--patches <name>", "what the network sees; default slices, or what a stored one takes").choices([
        "slices",
        "volumes",
      ]),
    )
    .option("--shell <b>", "which shell, s/mm²; default the largest", positiveNumber)
    .option("--epochs <n>", "how often each slice is seen; default 20", count)
    .option("--seed <n>", "of the training; default 0", wholeNumber)
    .option("--sigma <value>", 'noise for the Rician correction: a number, 0 for none, or "auto", the default', sigma)
    .option("--model <folder>", "apply the network that --keep left there, without training")
    .option("--keep <folder>", "keep the network and its checkpoint; an interrupted training goes on there")
    .option("--report", "also write report.html")
    .action((scan, options) =>
      start(async () => (await import("../denoise-dwi.ts")).denoiseDwi(scan, options), options),
    );
}
