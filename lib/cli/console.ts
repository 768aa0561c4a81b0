/** Where a command's words go: data to stdout, everything else to stderr. */
import { ioError } from "../core/files.ts";
import type { Progress } from "../native/job.ts";
import { type FailureDocument, failureDocument, failureLine } from "./failure.ts";
import { ProgressLine } from "./progress.ts";

export interface Streams {
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
}

export interface CommonOptions {
  device?: "auto" | "cpu" | `cuda:${number}`;
  threads?: number;
  json?: boolean;
  ndjsonProgress?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export class Console {
  /** Of the item at hand, for its record. */
  warnings: readonly string[] = [];
  readonly #streams: Streams;
  readonly #options: CommonOptions;
  readonly #line: ProgressLine | undefined;

  constructor(streams: Streams, options: CommonOptions) {
    this.#streams = streams;
    this.#options = options;
    const drawn = streams.stderr.isTTY && !options.quiet && !options.ndjsonProgress;
    this.#line = drawn ? new ProgressLine(streams.stderr) : undefined;
  }

  readonly progress = (event: Progress): void => {
    if (this.#options.ndjsonProgress) this.#streams.stderr.write(`${JSON.stringify(event)}\n`);
    else this.#line?.draw(event);
  };

  /** As progress, in words of the command's own. */
  progressText(text: string, event: Progress): void {
    if (this.#options.ndjsonProgress) this.progress(event);
    else this.#line?.drawText(text);
  }

  /** One line of JSON on stdout, for programs that follow a command. */
  event(document: object): void {
    this.#line?.clear();
    this.#streams.stdout.write(`${JSON.stringify(document)}\n`);
  }

  /** A remark, on stderr. */
  log(text: string): void {
    this.#line?.clear();
    if (!this.#options.quiet) this.#streams.stderr.write(`${text}\n`);
  }

  /** A remark that also goes into the record beside the output; each only once. */
  warn(text: string): void {
    if (this.warnings.includes(text)) return;
    this.warnings = [...this.warnings, text];
    this.log(`warning: ${text}`);
  }

  /** Begins the next of several items: its warnings are its own. */
  nextItem(text: string): void {
    this.log(text);
    this.warnings = [];
  }

  /** The command's result: the document with --json, else the text, if it has one. */
  async result(document: object, text?: string): Promise<void> {
    this.#line?.clear();
    const data = this.#options.json ? `${toJson(document)}\n` : text;
    if (data) await this.#print(data);
  }

  async failure(error: unknown): Promise<void> {
    this.#line?.clear();
    this.#streams.stderr.write(`${failureLine(error)}\n`);
    if (this.#options.debug && error instanceof Error) this.#streams.stderr.write(`${stackOf(error)}\n`);
    const document: { error: FailureDocument } = { error: failureDocument(error) };
    if (this.#options.json) await this.#print(`${toJson(document)}\n`).catch(() => undefined); // stderr has said it
  }

  close(): void {
    this.#line?.clear();
  }

  /** Resolves when the stream has taken the text: a full disk or a closed pipe behind stdout is an error of this command. */
  #print(text: string): Promise<void> {
    const { stdout } = this.#streams;
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(ioError("write", "to stdout", error));
      stdout.once("error", failed);
      stdout.write(text, (error) => {
        // a failed write is emitted after this callback; keep listening so that it does not end the process
        if (error) return failed(error);
        stdout.off("error", failed);
        resolve();
      });
    });
  }
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}

/** Indented JSON with lists of numbers on one line; NaN and infinities become null. */
export function toJson(document: object): string {
  return JSON.stringify(document, null, 2).replace(/\[\s*(?:(?:-?[\d.eE+-]+|null),?\s*)+\]/g, (list) =>
    list.replaceAll(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]"),
  );
}
