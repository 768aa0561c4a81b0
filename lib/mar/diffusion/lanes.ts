/** Chains of many slices side by side, as many as the network has lanes. A slice that fails leaves the others alone. */
import type { Volume } from "../../core/arrays.ts";
import { isCodedError } from "../../core/errors.ts";
import type { OperationOptions } from "../../native/job.ts";
import { type Chain, type ChainSlice, runChain } from "./chain.ts";

/** "none": no metal; "failed": the network gave NaN or infinity, and the slice is what `diffusionMar` and `diffusionImages` say. */
export type DiffusionOutcome = "corrected" | "none" | "failed";

export interface ChainWork {
  /** Slices to correct. */
  numbers: readonly number[];
  sliceOf: (number: number) => Promise<ChainSlice>;
  put: (number: number, image: Volume) => unknown;
}

/** Gives why slices failed, by number: only where the network gave NaN or infinity. Any other error is thrown when all lanes have stopped. */
export async function runChains(
  chain: Chain,
  { numbers, sliceOf, put }: ChainWork,
  options: OperationOptions,
): Promise<Map<number, string>> {
  const { signal, device, onProgress } = options;
  const failed = new Map<number, string>();
  const total = numbers.length * chain.settings.steps;
  let [next, done, stopped] = [0, 0, false];
  const say = (count: number) => onProgress?.({ phase: "diffusion", done: count, total });
  const lane = async () => {
    while (next < numbers.length && !stopped) {
      const number = numbers[next++]!;
      let steps = 0;
      const onStep = () => {
        steps++;
        say(++done);
      };
      try {
        await put(number, await runChain(chain, await sliceOf(number), { signal, device, onStep }));
      } catch (error) {
        if (!isNotFinite(error)) {
          stopped = true;
          throw error;
        }
        failed.set(number, error.message);
        done += chain.settings.steps - steps;
        say(done);
      }
    }
  };
  const lanes = Array.from({ length: Math.min(chain.prior.lanes ?? 1, numbers.length) }, lane);
  const results = await Promise.allSettled(lanes);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return failed;
}

/** What `requireFiniteStep` throws. */
function isNotFinite(error: unknown): error is Error {
  return isCodedError(error) && error.code === "ERR_SINO_OUT_OF_RANGE" && error.details?.["timestep"] !== undefined;
}
