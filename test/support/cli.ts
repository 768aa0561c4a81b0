/** The command line in tests: in this process with its words caught, or as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { main } from "../../lib/cli/main.ts";

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

class Caught extends Writable {
  text = "";
  override _write(chunk: Buffer | string, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs one command line in this process. */
export async function cli(...args: string[]): Promise<Outcome> {
  const [stdout, stderr] = [new Caught(), new Caught()];
  const code = await main(args, { stdout, stderr });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

const mainUrl = pathToFileURL(resolve(import.meta.dirname, "../../lib/cli/main.ts")).href;
const starter = `const { main } = await import(${JSON.stringify(mainUrl)}); process.exitCode = await main(process.argv.slice(1));`;

/** Starts one command line as a process. */
export function startCli(args: readonly string[], stdout: "pipe" | number = "pipe"): ChildProcess {
  const node = ["--import", "tsx", "--input-type=module", "-e", starter, "--", ...args];
  return spawn(process.execPath, node, { cwd: join(import.meta.dirname, "../.."), stdio: ["ignore", stdout, "pipe"] });
}

/** Resolves when the process has ended. */
export async function ended(child: ChildProcess): Promise<Outcome & { signal: NodeJS.Signals | null }> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((done) => {
    child.on("close", (code, signal) => done({ code: code ?? -1, signal, stdout, stderr }));
  });
}
