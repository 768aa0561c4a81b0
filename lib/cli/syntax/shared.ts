/** What commands have in common in a command line. */
import { type Command as Commander, Option } from "commander";
import type { Command } from "../command.ts";
import type { CommonOptions } from "../console.ts";
import { device, positiveNumber, threadCount } from "../options.ts";

export const precisions = ["float32", "int8"];

export const filters = ["ram-lak", "shepp-logan", "cosine", "hamming", "hann"];

export type Start = (command: () => Promise<Command>, options: CommonOptions) => Promise<void>;

export function common(command: Commander): Commander {
  return command
    .option("--device <name>", 'where to compute: "auto", "cpu" or "cuda:N"', device, "auto")
    .option("--threads <n>", "threads of the computation; default all", threadCount)
    .option("--json", "one JSON document on stdout")
    .option("--ndjson-progress", "progress as JSON lines {phase, done, total} on stderr")
    .option("--quiet", "no remarks and no progress on stderr")
    .option("--debug", "stack traces of errors");
}

export const muWater = () =>
  new Option("--mu-water <1/mm>", "attenuation of water; default 0.0192").argParser(positiveNumber);
