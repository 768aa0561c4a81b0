/** Commands and options: this machine, and the shipped case. */
import type { Command as Commander } from "commander";
import { common, type Start } from "./shared.ts";

export function addDoctor(program: Commander, start: Start): void {
  common(program.command("doctor"))
    .summary("what this machine has, what is missing, what to type")
    .action((options) => start(async () => (await import("../doctor.ts")).doctor(), options));
}

export function addDemo(program: Commander, start: Start): void {
  common(program.command("demo"))
    .summary("the shipped metal case: uncorrected, LI and NMAR, with a table and a report")
    .option("-o, --output <folder>", "where to write", "demo-output")
    .action((options) => start(async () => (await import("../demo.ts")).demo(options), options));
}
