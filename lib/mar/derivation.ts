/** What a derived series says of itself. Its UIDs follow from this configuration and the source, whoever made it. */
import { version } from "../core/version.ts";
import type { Derivation } from "../data/dicom/derive.ts";
import type { MetalOptions } from "./metal.ts";
import type { MarMethodOptions } from "./sinogram.ts";

type MarSettings = Pick<MarMethodOptions, "passes"> &
  Pick<MetalOptions, "metalHu" | "minimumPixels"> & {
    method?: MarMethodOptions["method"] | "diffusion";
    muWater: number;
    /** Only as much of the correction as lowers streaks. */
    guarded?: boolean | undefined;
    /** The network that found the metal, where one did. */
    metalModel?: { readonly name: string; readonly network: string } | undefined;
    /** Of the method "diffusion": all that the result follows from. */
    diffusion?: object | undefined;
  };

/** Of images that were corrected through a virtual scan. Depends on nothing else, so that a rerun makes the same files. */
export function derivationOf(settings: MarSettings): Derivation & { configuration: { diffusion?: object } } {
  const { method = "nmar", metalHu = 2500, minimumPixels = 3, passes = 2, muWater, diffusion } = settings;
  const { metalModel, guarded } = settings;
  const metal = metalModel ? `metal by the network ${metalModel.name}` : `metal from ${metalHu} HU`;
  return {
    description: `MAR ${method.toUpperCase()}`,
    derivation: `Metal artefact reduction (${method.toUpperCase()}) by sinogram ${version}, image only: virtual fan-beam scan, ${metal}, mu of water ${muWater} 1/mm.`,
    configuration: {
      ...{ operation: "mar", version, method, metalHu, minimumPixels, passes, muWater },
      ...(guarded && { guarded }),
      ...(metalModel && { metalModel }),
      ...(diffusion && { diffusion }),
    },
  };
}
