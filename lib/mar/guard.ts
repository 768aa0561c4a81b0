/** What polychromatic metal artefact reduction says of each slice: how far its result was taken, and why. */
import type { MarEdgeModel, MarPhysics } from "./physics.ts";

/** "none": no metal; "nmar": the physics does not fit, NMAR is given; "blend": some of both; "full": the inversion. */
export type Verdict = "none" | "nmar" | "blend" | "full";
const verdicts: readonly Verdict[] = ["none", "nmar", "blend", "full"];
const edges: readonly MarEdgeModel[] = ["auto", "div4", "subray"];

/** Signals that need no truth; native/recon/polychromatic_mar.cc has the limits. */
export interface GuardSignals {
  /** Robust spread of what metal and tissue leave unexplained in the trace, dimensionless. */
  residual: number;
  /** Root mean square of the calibration curve over the trace. */
  calibration: number;
  /** ln of the mean gradient near the metal over NMAR's. */
  roughness: number;
}

export interface SliceVerdict {
  verdict: Verdict;
  /** Of the inversion in the result, 0 to 1; the rest is NMAR. Missing where no metal was found. */
  share?: number;
  metalPixels: number;
  /** Where metal was looked for: its threshold, HU. */
  thresholdHu?: number;
  /** Missing where no metal was found. */
  edge?: MarEdgeModel;
  material?: string;
  /** Over the nominal one, as the rays say. */
  density?: number;
  signals?: GuardSignals;
}

export const numbersPerVerdict = 10;

/** From the numbers of the addon (SliceVerdict of native/recon/polychromatic_mar.h). */
export function sliceVerdict(numbers: Float64Array, { metals }: MarPhysics): SliceVerdict {
  const [verdict, edge, metal, density, residual, calibration, roughness, metalPixels, thresholdHu, share] = Array.from(
    numbers,
  ) as [number, number, number, number, number, number, number, number, number, number];
  const found = Number.isFinite(thresholdHu) ? { thresholdHu } : {};
  if (verdict === 0) return { verdict: "none", metalPixels, ...found };
  return {
    verdict: verdicts[verdict]!,
    share,
    metalPixels,
    ...found,
    edge: edges[edge]!,
    material: metals[metal]!.material.name,
    density,
    signals: { residual, calibration, roughness },
  };
}
