/** The beginning of a run: one process makes the folder ready, others that share it wait for that and join. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Claims, readClaims } from "./claim.ts";
import type { PlannedJob } from "./job.ts";
import { claimsFolder } from "./layout.ts";
import { writeManifest } from "./manifest.ts";
import { forgetDone, forgetFailure } from "./result.ts";

export interface Preparation {
  out: string;
  /** The whole list. */
  manifest: { text: string; hash: string };
  /** The jobs of this process: its shard. */
  jobs: readonly PlannedJob[];
  shard: string;
  resume: boolean;
  claims: Claims;
  signal: AbortSignal;
}

/**
 * Writes batch.json, takes away the failures of earlier runs so that their jobs are tried again, and, without `resume`, takes away
 * the proofs of what is done. A process that finds another one at work on the same list does none of that: it joins.
 * Resolves to the id of the claim by which this process leads, if it does.
 */
export async function leadOrJoin(preparation: Preparation): Promise<string | undefined> {
  const { out, manifest, jobs, shard, resume, claims, signal } = preparation;
  const id = `run@${manifest.hash}-${shard.replace("/", "of")}`;
  for (let joined = false; ; joined = true) {
    signal.throwIfAborted();
    const claim = await claims.take(id);
    if (claim) {
      if (!joined) {
        await writeManifest(out, manifest.text);
        for (const { target } of jobs) {
          signal.throwIfAborted();
          await forgetFailure(target);
          if (!resume) await forgetDone(target);
        }
      }
      await claim.note({ isReady: true });
      return id;
    }
    if ((await readClaims(claimsFolder(out))).get(id)?.isReady) return undefined;
    await sleep(50, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
