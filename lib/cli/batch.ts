/** `sinogram batch run` and `sinogram batch status`. */
import type { BatchEvent, BatchProgress } from "../batch/events.ts";
import type { JobSettings, Task } from "../batch/job.ts";
import { optionNames } from "../batch/list.ts";
import { type BatchReport, runBatch } from "../batch/run.ts";
import { type BatchStatus, batchStatus } from "../batch/status.ts";
import type { Command } from "./command.ts";
import { exitCodes, UsageError } from "./failure.ts";
import { duration } from "./progress.ts";

export interface BatchRunOptions extends JobSettings {
  task: Task;
  output: string;
  fresh?: boolean;
  shard?: { index: number; count: number };
  workers?: number;
  memory?: number;
  stale?: number;
  ndjson?: boolean;
  geometry?: string;
}

const flagOf = (name: string): string => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The options of the task; those of the other one are a mistake of the command line. */
function settingsOf(given: BatchRunOptions): JobSettings {
  const { task } = given;
  const known = optionNames(task);
  const all = new Set([...optionNames("mar"), ...optionNames("reconstruct")]);
  const values = given as unknown as Record<string, unknown>;
  const settings: Record<string, unknown> = {};
  for (const name of all) {
    if (values[name] === undefined) continue;
    if (!known.includes(name)) throw new UsageError(`${flagOf(name)} is not an option of --task ${task}.`);
    settings[name] = values[name];
  }
  if (given.geometry !== undefined && task !== "reconstruct")
    throw new UsageError(`--geometry is not an option of --task ${task}.`);
  return settings;
}

/** "12 of 5000 series, 43.1 slices/s, 2 h 10 min left" */
export function batchProgressText(progress: BatchProgress): string {
  const { settled, total, failed, slicesPerSecond, secondsLeft } = progress;
  const parts = [`${settled} of ${total} series`, `${slicesPerSecond} slices/s`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (secondsLeft !== undefined && settled < total) parts.push(`${duration(secondsLeft)} left`);
  return parts.join(", ");
}

export function batchRun(inputs: readonly string[], given: BatchRunOptions): Command {
  return async ({ console, options, signal }) => {
    const { task, output, fresh, shard, workers, memory, stale, ndjson, geometry } = given;
    if (ndjson && options.json) throw new UsageError("Give either --json or --ndjson, not both.");
    const onEvent = (event: BatchEvent) => {
      if (ndjson) console.event(event);
      if (event.event === "progress")
        console.progressText(batchProgressText(event), { phase: "batch", done: event.settled, total: event.total });
      else if (event.event === "failed") console.log(`${event.id}: ${event.message} [${event.code}]`);
      else if (event.event === "done")
        for (const warning of event.warnings) console.log(`${event.id}: warning: ${warning}`);
    };
    const report = await runBatch({
      task,
      inputs,
      output,
      geometry,
      options: settingsOf(given),
      shard,
      resume: !fresh,
      workers,
      memoryBytes: memory,
      staleSeconds: stale,
      device: options.device ?? "auto",
      signal,
      onEvent,
    });
    console.log(reportText(report));
    await console.result(report);
    return report.failed.length > 0 ? exitCodes.some : exitCodes.ok;
  };
}

function reportText({ output, done, skipped, failed, slices, seconds }: BatchReport): string {
  const parts = [`${done} done`];
  if (skipped > 0) parts.push(`${skipped} done before`);
  if (failed.length > 0) parts.push(`${failed.length} failed`);
  return `${output}: ${parts.join(", ")}; ${slices} slices in ${duration(seconds)}`;
}

export function batchShow(output: string, given: { verify?: boolean }): Command {
  return async ({ console, signal }) => {
    const status = await batchStatus(output, { verify: given.verify, signal });
    await console.result(status, statusText(status));
    return status.failed + status.changed > 0 ? exitCodes.some : exitCodes.ok;
  };
}

function statusText({ output, task, jobs, done, failed, running, waiting, changed, items }: BatchStatus): string {
  const counts = { done, failed, running, waiting, changed };
  const said = Object.entries(counts).filter(([, count]) => count > 0);
  const lines = [`${output}: ${task}, ${jobs} jobs: ${said.map(([name, count]) => `${count} ${name}`).join(", ")}`];
  for (const item of items) {
    if (item.state === "failed") lines.push(`failed   ${item.id}: ${item.message} [${item.code}]`);
    if (item.state === "running") lines.push(`running  ${item.id}: ${item.host}, process ${item.pid}`);
    if (item.state === "changed") lines.push(`changed  ${item.id}: ${item.changed!.join(", ")}`);
  }
  return `${lines.join("\n")}\n`;
}
