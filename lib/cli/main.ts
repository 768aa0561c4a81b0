/**
 * The command line. Commands are loaded when they are called, so that `--help` stays fast. stdout carries data, stderr
 * everything else; exit codes are in failure.ts; docs/cli.md is the manual.
 */
import { Command as Commander, CommanderError, Option } from "commander";
import { version } from "../core/version.ts";
import type { Command, Run } from "./command.ts";
import { type CommonOptions, Console, type Streams } from "./console.ts";
import { exitCodeOf, exitCodes, Interrupted, UsageError } from "./failure.ts";
import {
  anyNumber,
  byteCount,
  condition,
  count,
  device,
  fraction,
  numbers,
  pixelSize,
  positiveNumber,
  range,
  shard,
  sigma,
  threadCount,
  wholeNumber,
} from "./options.ts";

const precisions = ["float32", "int8"];
const filters = ["ram-lak", "shepp-logan", "cosine", "hamming", "hann"];
const methods = ["fbp", "sirt", "os-sart", "cgls", "tv"];

type Start = (command: () => Promise<Command>, options: CommonOptions) => Promise<void>;

function common(command: Commander): Commander {
  return command
    .option("--device <name>", 'where to compute: "auto", "cpu" or "cuda:N"', device, "auto")
    .option("--threads <n>", "threads of the computation; default all", threadCount)
    .option("--json", "one JSON document on stdout")
    .option("--ndjson-progress", "progress as JSON lines {phase, done, total} on stderr")
    .option("--quiet", "no remarks and no progress on stderr")
    .option("--debug", "stack traces of errors");
}

const muWater = () => new Option("--mu-water <1/mm>", "attenuation of water; default 0.0192").argParser(positiveNumber);
const geometryOption = ["--geometry <file>", "geometry JSON (see examples/geometry)"] as const;
const filterOption = () => new Option("--filter <name>", "window on the ramp").choices(filters).default("ram-lak");
const cutoffOption = ["--cutoff <fraction>", "highest frequency that passes, of Nyquist", fraction, 1] as const;

function addReconstruct(program: Commander, start: Start): void {
  common(program.command("reconstruct"))
    .summary("sinogram → image, by filtered back-projection or iteratively")
    .description("Reconstructs a sinogram [view, bin], or a batch [slice, view, bin], into attenuation in 1/mm.")
    .argument("<sinogram>", "array file: .npy, .npz:key, .h5:/path, .mat:name, .nii, .raw:1000x900:f32, …")
    .requiredOption(...geometryOption)
    .requiredOption("-o, --output <file>", "array file to write")
    .addOption(filterOption())
    .option(...cutoffOption)
    .addOption(new Option("--method <name>", "how").choices(methods).default("fbp"))
    .option("--iterations <n>", "iterative: default sirt 100, os-sart 10, cgls 20, tv 100", count)
    .option("--subsets <n>", "os-sart: parts of the views; default parts of 16 views", count)
    .option("--tolerance <fraction>", "iterative: done where the residual is so much of the sinogram", fraction)
    .option("--weight <1/mm>", "tv: how much variation costs; default 1e-6", positiveNumber)
    .option("--non-negative", "sirt, os-sart, tv: no attenuation below zero")
    .option("--hu", "write HU instead of 1/mm")
    .addOption(muWater())
    .action((sinogram, options) =>
      start(async () => (await import("./reconstruct.ts")).reconstruct(sinogram, options), options),
    );
}

function addProject(program: Commander, start: Start): void {
  common(program.command("project"))
    .summary("image → sinogram, by line integrals")
    .description("Projects an image [row, column] in 1/mm, or a batch of them, into a sinogram.")
    .argument("<image>", "array file")
    .requiredOption(...geometryOption)
    .requiredOption("-o, --output <file>", "array file to write")
    .option("--hu", "the image is in HU")
    .addOption(muWater())
    .action((image, options) => start(async () => (await import("./project.ts")).project(image, options), options));
}

function addMar(program: Commander, start: Start): void {
  common(program.command("mar"))
    .summary("metal artefact reduction, of a DICOM series, an image, or a sinogram")
    .description(
      "Takes metal streaks out of a DICOM series (a folder; writes a derived series), of HU images (.npy, .nii), or, with " +
        "--sinogram, of a measured sinogram.",
    )
    .argument("[input]", "DICOM folder, or .npy / .nii of HU")
    .requiredOption("-o, --output <path>", "folder for DICOM, array file otherwise")
    .addOption(
      new Option("--method <name>", "how; polychromatic and what auto makes of it need --sinogram")
        .choices(["auto", "li", "nmar", "polychromatic", "diffusion"])
        .default("nmar"),
    )
    .option(
      "--metal-hu <HU>",
      "pixels at or above are metal; default 2500, or what clipped images are clipped at",
      anyNumber,
    )
    .option("--minimum-pixels <n>", "smaller groups of metal pixels are noise; default 3", count)
    .option("--metal-model <name>", "for images: a network finds the metal; metal, or a folder that train wrote")
    .option("--passes <n>", "how often the prior is refined; default 2 for images, 1 for sinograms", count)
    .addOption(muWater())
    .option("--series <uid>", "which series, where the folder holds several")
    .option("--all", "every CT series of the folder, each into a folder of its own below the output")
    .option("--pixel-mm <mm>", "pixel size of .npy images, or row,column spacing", pixelSize)
    .option("--sinogram <file>", "measured sinogram instead of images")
    .option("--metal-mask <file>", "with --sinogram: where the metal is, in the image; default found there")
    .option("--geometry <file>", "with --sinogram: geometry JSON")
    .option("--physics <file>", 'for polychromatic and auto: physics JSON (see examples/physics), or "auto"')
    .option(
      "--model <name>",
      "diffusion, auto: default ct-prior, which comes along; or a folder that train wrote; auto: none",
    )
    .addOption(
      new Option("--precision <name>", "diffusion: int8 where the card has a calibration; default float32").choices(
        precisions,
      ),
    )
    .option("--steps <n>", "diffusion: runs of the network per slice; default 10", count)
    .addOption(
      new Option("--start <name>", "diffusion: what to begin with; default nmar").choices([
        "nmar",
        "polychromatic",
        "noise",
      ]),
    )
    .addOption(
      new Option("--anatomy <name>", "diffusion: how much noise the start gets, by metal; default general").choices([
        "general",
        "head",
        "chest",
        "abdomen",
        "pelvis",
      ]),
    )
    .option("--strength <share>", "diffusion: how much, whatever the metal", fraction)
    .addOption(
      new Option("--sampler <name>", "diffusion: default renoise").choices(["renoise", "ddim", "dpm-solver", "unipc"]),
    )
    .addOption(
      new Option("--weight-mask <name>", "diffusion: where the network's image goes in; default fbp").choices([
        "fbp",
        "distance",
        "none",
      ]),
    )
    .addOption(new Option("--fusion <name>", "diffusion: and when; default dudodp").choices(["dudodp", "cosine"]))
    .option("--seed <n>", "diffusion: of its noise; default 0", wholeNumber)
    .addOption(new Option("--filter <name>", "with --sinogram: window on the ramp; default ram-lak").choices(filters))
    .option("--cutoff <fraction>", "with --sinogram: highest frequency that passes; default 1", fraction)
    .option("--reinsert", "with --sinogram: put the metal of the uncorrected image back")
    .option("--report", "also write report.html and pictures")
    .option("--overwrite", "replace an earlier result in the output folder")
    .action((input, options) => start(async () => (await import("./mar.ts")).mar(input, options), options));
}

function addSimulate(program: Commander, start: Start): void {
  common(program.command("simulate"))
    .summary("images → scans with metal, noise, less dose: a dataset of pairs")
    .description(
      "Simulates scans of HU images (array files, DICOM folders) into a folder: a .npz per slice, dataset.json, manifest.ndjson. " +
        "Without --physics the field's SynDeepLesion protocol.",
    )
    .argument("<images...>", "array files of HU, DICOM folders or files")
    .requiredOption(...geometryOption)
    .requiredOption("-o, --output <folder>", "folder of the dataset")
    .addOption(
      new Option("--seed <n>", "of the noise; same seed, same numbers").argParser(wholeNumber).makeOptionMandatory(),
    )
    .option("--metal <file>", "metal mask, or several [mask, row, column] that take turns")
    .option("--material <name>", "of the metal: ti, fe, cocr, steel, amalgam, …; default the physics file's")
    .option("--physics <file>", "physics JSON (see examples/physics)")
    .option("--spectrum <name>", '"120kVp", "80kVp", …, or a JSON file; default the physics file\'s')
    .option("--dose <fraction>", "of the dose; the scan at full dose is kept beside it", fraction)
    .option("--mu", "images are attenuation in 1/mm instead of HU")
    .option("--resume", "go on with what an interrupted call left")
    .action((images, options) => start(async () => (await import("./simulate.ts")).simulate(images, options), options));
}

function addDenoiseDwi(program: Commander, start: Start): void {
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
      start(async () => (await import("./denoise-dwi.ts")).denoiseDwi(scan, options), options),
    );
}

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

function addDenoise(program: Commander, start: Start): void {
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
    .action((input, options) => start(async () => (await import("./denoise.ts")).denoise(input, options), options));
}

function addSuperResolve(program: Commander, start: Start): void {
  byNetwork(restoring(program.command("super-resolve")))
    .summary("twice as many rows and columns: a trained network, or interpolated")
    .description("Enlarges slices of a DICOM series or an array file into an array file, over the same extent.")
    .addOption(new Option("--method <name>", "how").choices(["network", "lanczos", "bicubic"]).default("lanczos"))
    .option("--factor <n>", "lanczos, bicubic: how many times; default 2", count)
    .action((input, options) =>
      start(async () => (await import("./super-resolve.ts")).superResolve(input, options), options),
    );
}

function addCorrectMotion(program: Commander, start: Start): void {
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
      start(async () => (await import("./correct-motion.ts")).correctMotion(input, options), options),
    );
}

function addEnhance(program: Commander, start: Start): void {
  restoring(program.command("enhance"))
    .summary("contrast for looking at (CLAHE, histogram), MR brightness made even (N4)")
    .description("Enhances a DICOM series (writes a derived series) or an array file.")
    .addOption(new Option("--method <name>", "how").choices(["clahe", "equalize", "n4"]).default("clahe"))
    .option("--window <low,high>", "clahe, equalize: grey values that are spread; default all of each slice", range)
    .option("--limit <factor>", "clahe: the most that contrast grows; default 2.5", positiveNumber)
    .action((input, options) => start(async () => (await import("./enhance.ts")).enhance(input, options), options));
}

function addEvaluate(program: Commander, start: Start): void {
  common(program.command("evaluate"))
    .summary("PSNR, SSIM and errors in HU of results against their reference")
    .description(
      "Compares results with their reference, slice by slice: array files, DICOM series, or folders of files, paired by name. " +
        "The last one named is the reference.",
    )
    .argument("<files...>", "results, then the reference")
    .option("--mask <file>", "pixels to leave out (metal): a file, or a folder with a mask per image")
    .option("--near <pixels>", "with --mask: errors up to here from it, and beyond", positiveNumber, 20)
    .option("--tissue <low,high>", "with --mask: those errors only where the reference has these HU", range)
    .addOption(new Option("--protocol <name>", "a protocol of the field").choices(["syndeeplesion"]))
    .option("--window <low,high>", "clip to this window first; default the reference's span", range)
    .addOption(
      new Option("--unit <name>", "unit of all files: mu (1/mm) or hu; default hu for DICOM, else mu").choices([
        "mu",
        "hu",
      ]),
    )
    .option("--ms-ssim", "SSIM over five scales too; slices of 176 × 176 pixels or more")
    .option("--masks", "the files are masks: Dice and Hausdorff distances instead")
    .option("--deep-lesion", "16-bit PNG hold HU + 32768, as in DeepLesion")
    .option("-o, --output <folder>", "write evaluation.json, report.html and pictures")
    .option("--overwrite", "replace an earlier evaluation in the output folder")
    .addOption(muWater())
    .action((files, options) =>
      start(
        async () =>
          options.masks
            ? (await import("./evaluate-masks.ts")).evaluateMasks(files, options)
            : (await import("./evaluate.ts")).evaluate(files, options),
        options,
      ),
    );
}

function addBatch(program: Commander, start: Start): void {
  const batch = program.command("batch").summary("many series or sinograms: resumable, shared by many processes");
  common(batch.command("run"))
    .summary("every series or sinogram of a list or a folder")
    .description(
      "Runs one task on every CT series (mar) or sinogram file (reconstruct) of job lists (.jsonl) and folders. Results appear " +
        "whole or not at all; what is proven done is left out, so the same command goes on after any interruption, and processes " +
        "that share the output folder share the work.",
    )
    .argument("<inputs...>", "job lists, folders or files")
    .addOption(new Option("--task <name>", "what to do").choices(["reconstruct", "mar"]).makeOptionMandatory())
    .requiredOption("-o, --output <folder>", "folder of the results")
    .option("--resume", "leave out what is proven done: the default")
    .addOption(new Option("--fresh", "do all of it again").conflicts("resume"))
    .option("--shard <i/n>", "only the i-th of n parts of the list", shard)
    .option("--workers <n>", "jobs in flight; default 3", count)
    .option("--memory <size>", "memory of all jobs in flight; default half of what is free", byteCount)
    .option("--stale <seconds>", "when a silent claim is taken over; default 60", positiveNumber)
    .option("--ndjson", "events as JSON lines on stdout")
    .option("--geometry <file>", "reconstruct: geometry JSON of jobs that name none")
    .addOption(new Option("--filter <name>", "reconstruct: window on the ramp; default ram-lak").choices(filters))
    .option("--cutoff <fraction>", "reconstruct: highest frequency that passes; default 1", fraction)
    .option("--hu", "reconstruct: write HU instead of 1/mm")
    .addOption(new Option("--method <name>", "mar: default nmar").choices(["auto", "li", "nmar"]))
    .option(
      "--metal-hu <HU>",
      "mar: pixels at or above are metal; default 2500, or what clipped images are clipped at",
      anyNumber,
    )
    .option("--minimum-pixels <n>", "mar: smaller groups of metal pixels are noise; default 3", count)
    .option("--passes <n>", "mar: how often the prior is refined; default 2", count)
    .addOption(muWater())
    .action((inputs, options) => start(async () => (await import("./batch.ts")).batchRun(inputs, options), options));
  common(batch.command("status"))
    .summary("what an output folder says of its batch")
    .argument("<output>", "folder of the results")
    .option("--verify", "read all outputs and compare their digests")
    .action((output, options) => start(async () => (await import("./batch.ts")).batchShow(output, options), options));
}

function addPrepare(program: Commander, start: Start): void {
  common(program.command("prepare"))
    .summary("CT of many patients → arrays to train on")
    .description(
      "Makes slices of one size out of DICOM folders, NIfTI and .npy files of HU, or DeepLesion's PNG: windowed, without metal, " +
        "split by patient. Writes a .npy per split and manifest.json.",
    )
    .argument("<inputs...>", "folders, searched with their subfolders, or files")
    .requiredOption("-o, --output <folder>", "new folder")
    .option("--deep-lesion <csv>", "DeepLesion's DL_info.csv: inputs are folders of its PNG")
    .option("--size <pixels>", "rows and columns of the slices; default as they are", count)
    .option("--window <low,high>", "HU are clipped to this; default -1000,2000", range)
    .option("--scaled", "write the window as -1 to 1 instead of HU")
    .option("--metal-hu <HU>", "pixels at or above are metal; default 2500", anyNumber)
    .option("--metal-pixels <n>", "slices with a part of so many pixels of metal are left out; default 12", count)
    .option("--split <shares>", "of patients in train,validation,test; default the CSV's, else 0.9,0.05,0.05", numbers)
    .option("--seed <n>", "of the split; default 0", wholeNumber)
    .option("--licence <text>", "of the slices, for the manifest")
    .action((inputs, options) => start(async () => (await import("./prepare.ts")).prepare(inputs, options), options));
}

function addTrain(program: Commander, start: Start): void {
  common(program.command("train"))
    .summary("a network from a JSON file: data, network, loss, optimiser")
    .description(
      "Trains a network and writes model.onnx, its card model.json, weights.safetensors, log.ndjson and a checkpoint. Paths in " +
        "the file are relative to it. Needs the optional package onnxruntime-node.",
    )
    .argument("<config>", "JSON file (docs/training.md)")
    .requiredOption("-o, --output <folder>", "where to write")
    .option("--resume", "go on from the folder's checkpoint")
    .option("--teacher <name>", "a model whose answers are the targets: a small network learns what a large one does")
    .action((config, options) => start(async () => (await import("./train.ts")).train(config, options), options));
}

function addPrune(program: Commander, start: Start): void {
  common(program.command("prune"))
    .summary("a trained network with fewer channels: smaller and faster")
    .description(
      "Takes the channels with the smallest L1 norm out of the layers of a trained dncnn, redcnn or unet and, with --config, trains what is left " +
        "again. Fewer channels without training: weights and card alone.",
    )
    .argument("<model>", "a model that comes along, or a folder that train wrote")
    .requiredOption("-o, --output <folder>", "new folder")
    .requiredOption("--share <share>", "of every layer's channels to take away, above 0 and below 1", positiveNumber)
    .option("--config <file>", "JSON file to train again with (docs/training.md); its network is replaced")
    .option("--teacher <name>", "a model whose answers are the targets then")
    .action((model, options) => start(async () => (await import("./prune.ts")).prune(model, options), options));
}

function addQuantize(program: Commander, start: Start): void {
  common(program.command("quantize"))
    .summary("a trained network in 8 bits: faster on processors")
    .description(
      "Measures on images between which limits a network's convolutions compute, leaves those in float32 that round worst, and writes " +
        "weights and card with the calibration to a new folder, for --precision int8. Needs the optional package onnxruntime-node.",
    )
    .argument("<model>", "a model that comes along, or a folder that train wrote: model.json and weights.safetensors")
    .requiredOption(
      "--images <file>",
      "what the network will be given, [n, row, column]; clean slices for a diffusion network",
    )
    .requiredOption("-o, --output <folder>", "new folder")
    .option(
      "--snr <dB>",
      "rounding stays this far below what the network changes; default 30, for diffusion 40, of the image",
      anyNumber,
    )
    .option("--samples <n>", "images to look at; default 16", count)
    .option("--seed <n>", "of the noise that a diffusion network is shown; default 0", wholeNumber)
    .action((model, options) => start(async () => (await import("./quantize.ts")).quantize(model, options), options));
}

function addSample(program: Commander, start: Start): void {
  common(program.command("sample"))
    .summary("CT slices out of noise, by a diffusion network")
    .description(
      "Draws slices with a network that `sinogram train` made with the task diffusion, into a folder with a contact sheet. They " +
        "show no patient and are marked SYNTHETIC. Needs the optional package onnxruntime-node.",
    )
    .option("--model <name>", "default ct-prior, which comes along; or a folder that train wrote", "ct-prior")
    .requiredOption("-o, --output <folder>", "new folder")
    .addOption(new Option("--seed <n>", "same seed, same slices").argParser(wholeNumber).makeOptionMandatory())
    .addOption(
      new Option("--precision <name>", "int8 where the card has a calibration; default float32").choices(precisions),
    )
    .option("-n, --number <n>", "how many slices; default 1", count)
    .option("--steps <n>", "runs of the network per slice; default 20", count)
    .addOption(new Option("--sampler <name>", "default dpm-solver").choices(["dpm-solver", "ddim", "unipc"]))
    .option("--size <pixels>", "rows and columns, before models that enlarge; default those of the training", count)
    .option("--condition <list>", "bodyPart=chest,age=60 as the card names them, or class=2,values=0.6/1", condition)
    .option("--context <file>", "vectors [length, width] that the network attends to")
    .option("--guidance <w>", "classifier-free guidance; default what the model's card says, else 1, none", anyNumber)
    .option("--classifier <file>", "ONNX model of logits whose class draws the slices, with --classifier-class")
    .option("--classifier-class <n>", "which of its classes", wholeNumber)
    .option("--classifier-scale <s>", "how strongly; default 1", anyNumber)
    .option("--from <file>", "images to start from instead of noise")
    .option("--strength <share>", "with --from: how much noise they get; default 0.5", fraction)
    .option(
      "--no-stages",
      "leave slices as the model draws them, where its card names others that enlarge and sharpen them",
    )
    .addOption(new Option("--format <name>", "of the slices").choices(["nifti", "npy", "dicom"]).default("nifti"))
    .option("--pixel-mm <mm>", "pixel size to write, or row,column spacing; default 1", pixelSize)
    .option("--compare <file>", "slices that the network learned from: are these copies, do they differ, which tissues")
    .option("--window <low,high>", "of the contact sheet, HU", range, [-1000, 1000])
    .action((options) => start(async () => (await import("./sample.ts")).sample(options), options));
}

function addDoctor(program: Commander, start: Start): void {
  common(program.command("doctor"))
    .summary("what this machine has, what is missing, what to type")
    .action((options) => start(async () => (await import("./doctor.ts")).doctor(), options));
}

function addDemo(program: Commander, start: Start): void {
  common(program.command("demo"))
    .summary("the shipped metal case: uncorrected, LI and NMAR, with a table and a report")
    .option("-o, --output <folder>", "where to write", "demo-output")
    .action((options) => start(async () => (await import("./demo.ts")).demo(options), options));
}

/** The program; `settle` is called with the exit code of the command that ran. */
function build(streams: Streams, settle: (code: number) => void): Commander {
  const start: Start = async (command, options) => settle(await execute(command, options, streams));
  const program = new Commander("sinogram")
    .description("Computed tomography: reconstruct, project, remove metal artefacts, evaluate.")
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      outputError: () => undefined, // main prints usage errors as it prints all others
      getErrHelpWidth: () => streams.stderr.columns ?? 100,
    })
    .addHelpText(
      "after",
      "\nExit codes: 0 ok, 2 usage, 3 bad input, 4 some items failed, 5 device or model missing, 130 Ctrl-C.",
    );
  for (const add of [
    addReconstruct,
    addProject,
    addSimulate,
    addMar,
    addDenoise,
    addSuperResolve,
    addCorrectMotion,
    addEnhance,
    addDenoiseDwi,
    addEvaluate,
    addBatch,
    addPrepare,
    addTrain,
    addPrune,
    addQuantize,
    addSample,
    addDoctor,
    addDemo,
  ])
    add(program, start);
  return program;
}

async function execute(load: () => Promise<Command>, options: CommonOptions, streams: Streams): Promise<number> {
  if (options.threads !== undefined) process.env["SINOGRAM_THREADS"] = String(options.threads);
  const console = new Console(streams, options);
  const controller = new AbortController();
  const stop = (signal: "SIGINT" | "SIGTERM") => {
    const reason = new Interrupted(signal);
    if (controller.signal.aborted) process.exit(reason.exitCode); // asked twice
    controller.abort(reason);
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const run: Run = { console, options, signal: controller.signal };
    return (await (await load())(run)) ?? exitCodes.ok;
  } catch (error) {
    await console.failure(error);
    return exitCodeOf(error);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    console.close();
  }
}

/** Runs one command line (without `node` and the script's name) and gives the exit code. Never rejects. */
export async function main(args: readonly string[], streams: Streams = process): Promise<number> {
  let code: number = exitCodes.ok;
  const program = build(streams, (found) => {
    code = found;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok; // --help, --version
    const isUsage = error instanceof CommanderError;
    if (isUsage && error.code === "commander.help") return exitCodes.usage; // no command: the help was printed
    const sentence = isUsage ? usageSentence(error) : error;
    await new Console(streams, { json: args.includes("--json"), debug: args.includes("--debug") }).failure(sentence);
    return exitCodeOf(sentence);
  }
}

/** "error: unknown option '--filtr'\n(Did you mean --filter?)" as a sentence. */
function usageSentence({ message }: CommanderError): UsageError {
  const [first = "", ...rest] = message.replace(/^error: /, "").split("\n");
  const sentence = first.charAt(0).toUpperCase() + first.slice(1).replace(/([^.])$/, "$1.");
  const hint = rest.map((line) => line.replace(/^\((.*)\)$/, "$1")).join(" ");
  return new UsageError([sentence, hint, "Add --help for all options."].filter(Boolean).join(" "));
}
