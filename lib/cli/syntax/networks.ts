/** Commands and options: data, training, smaller and faster networks, slices out of noise. */
import { type Command as Commander, Option } from "commander";
import {
  anyNumber,
  condition,
  count,
  fraction,
  numbers,
  pixelSize,
  positiveNumber,
  range,
  wholeNumber,
} from "../options.ts";
import { common, precisions, type Start } from "./shared.ts";

export function addPrepare(program: Commander, start: Start): void {
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
    .action((inputs, options) => start(async () => (await import("../prepare.ts")).prepare(inputs, options), options));
}

export function addTrain(program: Commander, start: Start): void {
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
    .action((config, options) => start(async () => (await import("../train.ts")).train(config, options), options));
}

export function addPrune(program: Commander, start: Start): void {
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
    .action((model, options) => start(async () => (await import("../prune.ts")).prune(model, options), options));
}

export function addQuantize(program: Commander, start: Start): void {
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
    .action((model, options) => start(async () => (await import("../quantize.ts")).quantize(model, options), options));
}

export function addSample(program: Commander, start: Start): void {
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
    .action((options) => start(async () => (await import("../sample.ts")).sample(options), options));
}
