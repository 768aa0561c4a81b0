/** Which patients a network learns from: decided by a hash of the patient, so that more data leave earlier decisions as they are. */
import { createHash } from "node:crypto";
import { show, sinoError } from "../core/errors.ts";

export const splitNames = ["train", "validation", "test"] as const;
export type SplitName = (typeof splitNames)[number];

/** Throws ERR_SINO_OUT_OF_RANGE where the three shares do not add up to 1. */
export function checkShares(shares: readonly number[]): void {
  const sum = shares.reduce((a, b) => a + b, 0);
  if (shares.length !== 3 || !shares.every((s) => s >= 0) || Math.abs(sum - 1) > 1e-9)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected shares of train, validation and test that add up to 1 but received ${show([...shares])}.`,
    );
}

/** The split of a patient: the first 48 bits of SHA-256 of seed and patient as a number from 0 to 1. */
export function splitOf(patient: string, [train, validation]: readonly number[], seed: number): SplitName {
  const digest = createHash("sha256").update(`${seed} ${patient}`).digest();
  const at = digest.readUIntBE(0, 6) / 2 ** 48;
  if (at < train!) return "train";
  return at < train! + validation! ? "validation" : "test";
}

/** What stands for a patient where the name must not: the same for the same patient. */
export const pseudonym = (patient: string): string => createHash("sha256").update(patient).digest("hex").slice(0, 12);
