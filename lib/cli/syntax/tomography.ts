/** Commands and options: reconstructing, projecting, simulating, measuring. */
import { type Command as Commander, Option } from "commander";
import { count, fraction, positiveNumber, range, wholeNumber } from "../options.ts";
import { common, filters, muWater, type Start } from "./shared.ts";

const methods = ["fbp", "sirt", "os-sart", "cgls", "tv"];

const geometryOption = ["--geometry <file>", "geometry JSON (see examples/geometry)"] as const;

const filterOption = () => new Option("--filter <name>", "window on the ramp").choices(filters).default("ram-lak");

const cutoffOption = ["--cutoff <fraction>", "highest frequency that passes, of Nyquist", fraction, 1] as const;

export function addReconstruct(program: Commander, start: Start): void {
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
      start(async () => (await import("../reconstruct.ts")).reconstruct(sinogram, options), options),
    );
}

export function addProject(program: Commander, start: Start): void {
  common(program.command("project"))
    .summary("image → sinogram, by line integrals")
    .description("Projects an image [row, column] in 1/mm, or a batch of them, into a sinogram.")
    .argument("<image>", "array file")
    .requiredOption(...geometryOption)
    .requiredOption("-o, --output <file>", "array file to write")
    .option("--hu", "the image is in HU")
    .addOption(muWater())
    .action((image, options) => start(async () => (await import("../project.ts")).project(image, options), options));
}

export function addSimulate(program: Commander, start: Start): void {
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
    .action((images, options) =>
      start(async () => (await import("../simulate.ts")).simulate(images, options), options),
    );
}

export function addEvaluate(program: Commander, start: Start): void {
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
            ? (await import("../evaluate-masks.ts")).evaluateMasks(files, options)
            : (await import("../evaluate.ts")).evaluate(files, options),
        options,
      ),
    );
}
