/** What a suite consists of: cases that are made when they are needed, and the methods that take them. */
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { simulateMetalPair } from "../../lib/physics/index.ts";
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { readGeometry } from "../../lib/tomography/geometry-file.ts";
import { suites as mismatch } from "../mismatch/cases.ts";
import { PairMaker } from "../mismatch/pairs.ts";
import { type Mask, type Method, mismatchMethods, protocolMethods, type Scan } from "./methods.ts";
import { imageSize, marPairs, sizeGroups } from "./protocol-pairs.ts";

export interface Prepared extends Scan {
  truth: Scan["sinogram"];
  /** Pixels that no score counts. */
  metal: Mask;
}

export interface SuiteCase {
  name: string;
  labels: { [name: string]: string };
  prepare: () => Promise<Prepared>;
}

export interface Suite {
  cases: SuiteCase[];
  methods: { readonly [name: string]: Method };
}

const geometry = (): Promise<Geometry> =>
  readGeometry(join(import.meta.dirname, "../../examples/geometry/syndeeplesion-640.json"));

const fieldPhotons = 2e7;

/** The field's pairs: the same simulator, reconstruction and edge rule on both sides. */
async function protocolSuite(set: "evaluation" | "tuning", rounds: number): Promise<Suite> {
  const [pairs, scanGeometry] = [await marPairs(set, rounds), await geometry()];
  const size = imageSize ** 2;
  const shape = [imageSize, imageSize];
  const cases = pairs.group.map((group, i) => ({
    name: `p${String(i).padStart(2, "0")}-${pairs.patient[i]}`,
    labels: { size: sizeGroups[group]!, patient: pairs.patient[i]! },
    prepare: async () => {
      const hu = volume(pairs.images.data.subarray(i * size, (i + 1) * size), shape);
      const mask = volume(pairs.masks.data.subarray(i * size, (i + 1) * size), shape) as Mask;
      const made = await simulateMetalPair(hu, mask, { geometry: scanGeometry, seed: 1, firstSlice: i });
      const { sinogram, cleanSinogram, trace, image: truth } = made;
      return {
        sinogram,
        cleanSinogram,
        trace,
        truth,
        mask,
        metal: mask,
        geometry: scanGeometry,
        photons: fieldPhotons,
      };
    },
  }));
  return { cases, methods: protocolMethods } as Suite;
}

const sizeOf = (pixels: number) =>
  pixels < 100 ? "<100 px" : pixels < 300 ? "100–300 px" : pixels < 1000 ? "300–1000 px" : "≥1000 px";

/** Scans of the other simulator. */
async function mismatchSuite(name: keyof typeof mismatch): Promise<Suite> {
  const scanGeometry = await geometry();
  const maker = new PairMaker();
  const ordered = mismatch[name].toSorted((a, b) => a.scene.seed - b.scene.seed || a.level.localeCompare(b.level));
  const cases = ordered.map((item) => ({
    name: item.name,
    labels: {
      metal: item.second ? `${item.metal}+${item.second}` : item.metal,
      photons: item.photons.toExponential(0).replace("+", ""),
      size: sizeOf(item.scene.areaPixels),
      level: item.level,
      patient: item.scene.region.patient,
      tuned: item.scene.region.isFresh ? "patients new to tuning" : "other regions of patients in tuning",
    },
    prepare: async () => {
      const { sinogram, truth, mask, touched } = await maker.pair(item);
      return { sinogram, truth, mask, metal: touched, geometry: scanGeometry, photons: item.photons };
    },
  }));
  return { cases, methods: mismatchMethods };
}

export const suiteNames = ["protocol", "protocol-tuning", "full", "short", "tuning", "mixed", "mixed-tuning"] as const;
export type SuiteName = (typeof suiteNames)[number];

export function suiteNamed(name: SuiteName, rounds: number): Promise<Suite> {
  if (name === "protocol" || name === "protocol-tuning")
    return protocolSuite(name === "protocol" ? "evaluation" : "tuning", rounds);
  return mismatchSuite(name);
}
