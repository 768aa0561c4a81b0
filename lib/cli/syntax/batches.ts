/** Commands and options: thousands of series. */
import { type Command as Commander, Option } from "commander";
import { anyNumber, byteCount, count, fraction, positiveNumber, shard } from "../options.ts";
import { common, filters, muWater, type Start } from "./shared.ts";

export function addBatch(program: Commander, start: Start): void {
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
    .action((inputs, options) => start(async () => (await import("../batch.ts")).batchRun(inputs, options), options));
  common(batch.command("status"))
    .summary("what an output folder says of its batch")
    .argument("<output>", "folder of the results")
    .option("--verify", "read all outputs and compare their digests")
    .action((output, options) => start(async () => (await import("../batch.ts")).batchShow(output, options), options));
}
