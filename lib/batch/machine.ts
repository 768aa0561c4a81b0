/** Which machine and which process this is, so that a claim of a process that has died here is known at once. */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

function quietly(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** When a process began, in ticks since boot; process ids are used again. Undefined where the system does not tell. */
function startOf(pid: number): string | undefined {
  const text = quietly(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  return text?.slice(text.lastIndexOf(")") + 2).split(" ")[19]; // field 22; the name before it may hold spaces
}

export interface ProcessIdentity {
  host: string;
  pid: number;
  /** This boot of this machine and its process namespace; "" where it cannot be told. */
  machine: string;
  started: string;
}

const boot = quietly(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim());
const namespace = quietly(() => readlinkSync("/proc/self/ns/pid"));

export const thisProcess: ProcessIdentity = {
  host: hostname(),
  pid: process.pid,
  machine: boot && namespace ? `${boot} ${namespace}` : "",
  started: startOf(process.pid) ?? "",
};

/** True only where it is certain: the process ran on this boot of this machine and is no more. */
export function hasDied({ machine, pid, started }: ProcessIdentity): boolean {
  if (machine === "" || machine !== thisProcess.machine) return false;
  const now = startOf(pid);
  return now === undefined || now !== started;
}
