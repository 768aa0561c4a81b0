/**
 * Finds and loads the native addon, once. Nothing else imports it. A failure says what was tried, what was found and what
 * to type; the same text is what `sinogram doctor` prints.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { sinoError } from "../core/errors.ts";

export interface DeviceInfo {
  name: string;
  description: string;
  usable: boolean;
  reason: string;
}

export interface AddonDescription {
  abi: number;
  simd: string;
  threads: number;
  memoryLimit: number;
  memoryUsed: number;
  cuda: boolean;
  compiler: string;
  devices: DeviceInfo[];
}

export interface Addon {
  start(
    operation: string,
    parameters: object,
    onProgress?: (done: number, total: number) => void,
  ): { id: number; promise: Promise<Record<string, number>> };
  cancel(id: number): void;
  checkMemory(bytes: number): void;
  useLargePages(array: ArrayBufferView): void;
  setMemoryLimit(bytes: number): void;
  describe(): AddonDescription;
  describeScan(geometry: object): {
    coverage: "full" | "half" | "short" | "limited";
    coveredDeg: number;
    innerGapDeg: number;
  };
  describeRebinned(geometry: object): {
    views: number;
    startDeg: number;
    stepDeg: number;
    bins: number;
    binMm: number;
    offsetBins: number;
  };
  /** From {geometry, filter, cutoff}; the number goes into a call's parameters as `plan`. */
  makePlan(description: object): number;
  dropPlan(plan: number): void;
}

const expectedAbi = 1;
const packageRoot = resolve(import.meta.dirname, "../..");
let loaded: Addon | undefined;

/** Where the addon may lie, in the order in which it is looked for. */
export function addonCandidates(): string[] {
  const named = process.env["SINOGRAM_ADDON"];
  if (named) return [resolve(named)];
  return [
    join(packageRoot, "build/Release/sinogram.node"),
    join(packageRoot, `prebuilds/${process.platform}-${process.arch}/sinogram.node`),
  ];
}

/** The addon. Throws ERR_SINO_NATIVE_UNAVAILABLE or ERR_SINO_NATIVE_ABI with a diagnosis. */
export function addon(): Addon {
  if (loaded) return loaded;
  const require = createRequire(import.meta.url);
  const tried: string[] = [];
  let cause: unknown;
  for (const path of addonCandidates()) {
    if (!existsSync(path)) {
      tried.push(`${path}: not there`);
      continue;
    }
    try {
      const found = require(path) as Addon;
      const { abi } = found.describe();
      if (abi !== expectedAbi)
        throw sinoError(
          "ERR_SINO_NATIVE_ABI",
          `The native addon at ${path} has interface ${abi}, this version needs ${expectedAbi}. Run \`npm run build:native\` in ${packageRoot}.`,
        );
      loaded = found;
      return loaded;
    } catch (error) {
      if ((error as { code?: string }).code === "ERR_SINO_NATIVE_ABI") throw error;
      cause = error;
      tried.push(`${path}: ${(error as Error).message.split("\n")[0]}`);
    }
  }
  throw sinoError(
    "ERR_SINO_NATIVE_UNAVAILABLE",
    `The native addon could not be loaded (${process.platform}-${process.arch}, Node ${process.version}). Tried ${tried.join("; ")}. ` +
      `It is built by \`npm run build:native\` in ${packageRoot}, which needs CMake and a C++20 compiler; \`npx sinogram doctor\` says what is missing.`,
    { cause, details: { tried } },
  );
}
