/** Which machine and which versions a measurement belongs to. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";

export interface Machine {
  cpu: string;
  /** Family and model, where the system tells: virtual machines often hide the name. */
  cpuId: string;
  cores: number;
  memoryGiB: number;
  system: string;
  simdOfCpu: string;
}

function procField(name: string): string {
  try {
    const line = readFileSync("/proc/cpuinfo", "utf8")
      .split("\n")
      .find((text) => text.startsWith(name));
    return line?.split(":")[1]?.trim() ?? "";
  } catch {
    return ""; // not Linux
  }
}

export function machine(): Machine {
  const flags = procField("flags").split(" ");
  const simd = ["sse4_2", "avx2", "fma", "avx512f", "avx512vbmi"].filter((flag) => flags.includes(flag));
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cpuId: `family ${procField("cpu family") || "?"} model ${procField("model") || "?"}`,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform}-${process.arch}`,
    simdOfCpu: simd.join(" "),
  };
}

/** For file names: "amd-epyc-2-cores". */
export function machineName({ cpu, cores }: Machine): string {
  const slug = cpu
    .toLowerCase()
    .replaceAll(/\(r\)|\(tm\)|cpu|processor|@.*/g, "")
    .replaceAll(/[^a-z0-9]+/g, "-");
  return `${slug.replaceAll(/^-|-$/g, "")}-${cores}-cores`;
}

export const load = (): number => Math.round(loadavg()[0]! * 100) / 100;

/** Commit of the working tree, with "+" where it has changes. */
export function revision(root: string): string {
  const git = (...args: string[]) => spawnSync("git", args, { cwd: root, encoding: "utf8" }).stdout?.trim() ?? "";
  const changes = git("status", "--porcelain", "--untracked-files=no", "--", "native", "lib");
  return `${git("rev-parse", "--short", "HEAD") || "unknown"}${changes ? "+" : ""}`;
}
