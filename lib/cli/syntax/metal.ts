/** Commands and options: metal artefact reduction. */
import { type Command as Commander, Option } from "commander";
import { anyNumber, count, fraction, pixelSize, wholeNumber } from "../options.ts";
import { common, filters, muWater, precisions, type Start } from "./shared.ts";

export function addMar(program: Commander, start: Start): void {
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
    .action((input, options) => start(async () => (await import("../mar.ts")).mar(input, options), options));
}
