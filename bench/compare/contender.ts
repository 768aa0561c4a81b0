/** A contender: a long-lived child process that prepares a case, and runs it when told. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Description, Request, Timing } from "./protocol.ts";

const root = resolve(import.meta.dirname, "../..");

/** The Python with the peers: .venv where it was set up, else whatever python3 is. */
export function python(): string {
  const own = join(root, ".venv/bin/python");
  return existsSync(own) ? own : "python3";
}

/** "ours", or a module of bench/python/peers. */
export class Contender {
  readonly module: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #lastWords = "";
  description: Description = {};

  private constructor(module: string, threads: number) {
    this.module = module;
    const [command, args] =
      module === "ours"
        ? [process.execPath, ["--import", "tsx", join(import.meta.dirname, "ours.ts")]]
        : [python(), [join(root, "bench/python/worker.py"), module, String(threads)]];
    const env = { ...process.env, SINOGRAM_THREADS: String(threads), OMP_NUM_THREADS: String(threads) };
    this.#child = spawn(command, args, { cwd: root, env });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-2000);
    });
    this.#child.stdin.on("error", () => {}); // its end is noticed where an answer is missing
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(module: string, threads: number): Promise<Contender> {
    const contender = new Contender(module, threads);
    contender.description = await contender.ask<Description>({ do: "describe" });
    return contender;
  }

  async ask<T = object>(request: Request): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines.next();
    if (line.done) throw new Error(`${this.module} ended: ${this.#lastWords.trim().split("\n").at(-1) ?? ""}`);
    const reply = JSON.parse(line.value) as T & { error?: string };
    if (reply.error) throw new Error(`${this.module}: ${reply.error}`);
    return reply;
  }

  run(operation: string, repeat: number): Promise<Timing> {
    return this.ask<Timing>({ do: "run", operation, repeat });
  }

  stop(): void {
    this.#child.stdin.end();
  }
}
