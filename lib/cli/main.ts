/**
 * The command line. What commands are called and take is in syntax/, what they do in the files beside this one, loaded when they are
 * called, so that `--help` stays fast. stdout carries data, stderr everything else; exit codes are in failure.ts; docs/cli.md is the manual.
 */
import { Command as Commander, CommanderError } from "commander";
import { version } from "../core/version.ts";
import type { Command, Run } from "./command.ts";
import { type CommonOptions, Console, type Streams } from "./console.ts";
import { exitCodeOf, exitCodes, Interrupted, UsageError } from "./failure.ts";
import { addBatch } from "./syntax/batches.ts";
import { addDemo, addDoctor } from "./syntax/machine.ts";
import { addMar } from "./syntax/metal.ts";
import { addPrepare, addPrune, addQuantize, addSample, addTrain } from "./syntax/networks.ts";
import {
  addCorrectMotion,
  addDegrade,
  addDenoise,
  addDenoiseDwi,
  addEnhance,
  addSuperResolve,
} from "./syntax/restoration.ts";
import type { Start } from "./syntax/shared.ts";
import { addEvaluate, addProject, addReconstruct, addSimulate } from "./syntax/tomography.ts";

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
    addDegrade,
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
