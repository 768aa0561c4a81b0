/** What a derived series says of itself. Its UIDs follow from this configuration and the source, whoever made it. */
import { version } from "../core/version.ts";
import type { Derivation } from "../data/dicom/derive.ts";
import type { MetalOptions } from "./metal.ts";
import type { MarMethodOptions } from "./sinogram.ts";

type MarSettings = Pick<MarMethodOptions, "method" | "passes"> &
  Pick<MetalOptions, "metalHu" | "minimumPixels"> & { muWater: number };

/** Of images that were corrected through a virtual scan. Depends on nothing else, so that a rerun makes the same files. */
export function derivationOf(settings: MarSettings): Derivation & { configuration: object } {
  const { method = "nmar", metalHu = 2500, minimumPixels = 3, passes = 2, muWater } = settings;
  return {
    description: `MAR ${method.toUpperCase()}`,
    derivation: `Metal artefact reduction (${method.toUpperCase()}) by sinogram ${version}, image only: virtual fan-beam scan, metal from ${metalHu} HU, mu of water ${muWater} 1/mm.`,
    configuration: { operation: "mar", version, method, metalHu, minimumPixels, passes, muWater },
  };
}
