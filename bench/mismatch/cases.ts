/** The cases of the mismatch suite: which slice, which metal, which dose, which level; the same on every machine. */

import type { LevelName } from "./scan.ts";
import type { MetalName } from "./spectrum.ts";
import { type Purpose, type Region, regions } from "./split.ts";

export interface Scene {
  /** Of the random numbers that place and shape the metal. */
  seed: number;
  region: Region;
  /** Which of the region's slices, 0 to 1. */
  at: number;
  /** Of all metal, in pixels of 416². */
  areaPixels: number;
  parts: number;
}

export interface Case {
  name: string;
  scene: Scene;
  metal: MetalName;
  /** Of every second part; else all parts are of one metal. */
  second?: MetalName;
  photons: number;
  level: LevelName;
}

const areas = [35, 890, 112, 2000, 53, 450, 250, 1300, 70, 620, 160, 880, 330, 45, 1000, 90, 520, 200] as const;
const doses = [2e7, 2e7, 1e6, 1e5] as const;
const metals: readonly MetalName[] = ["titanium", "iron", "cocr", "copper", "ti6al4v", "steel"];

function scenesOf(purpose: Purpose, count: number): Scene[] {
  const own = regions.filter((region) => region.purpose === purpose);
  return Array.from({ length: count }, (_, i) => ({
    seed: (purpose === "tuning" ? 50_000 : 0) + 7919 * (i + 1),
    region: own[i % own.length]!,
    at: ((i + 1) * 0.618) % 1,
    areaPixels: areas[i % areas.length]!,
    parts: 1 + (i % 3),
  }));
}

const caseOf = (
  letter: string,
  scene: Scene,
  i: number,
  metal: MetalName,
  photons: number,
  level: LevelName,
  material: string = metal,
): Case => ({
  name: [
    letter + String(i).padStart(2, "0"),
    scene.region.patient,
    `${scene.areaPixels}px`,
    material,
    photons.toExponential(0).replace("+", ""),
    level,
  ].join("-"),
  scene,
  metal,
  photons,
  level,
});

/** Every scene with four metals and doses, both levels; then amalgam and the lowest dose. */
function suiteOf(letter: string, purpose: Purpose, count: number): Case[] {
  const scenes = scenesOf(purpose, count);
  const main = scenes.flatMap((scene, i) =>
    doses.map((_, run) => {
      const metal = metals[(i * 4 + run) % metals.length]!;
      const photons = doses[(run + Math.floor(i / 2)) % doses.length]!;
      return caseOf(letter, scene, i, metal, photons, (run + i) % 2 === 0 ? "study" : "harder");
    }),
  );
  const pick = (every: number) => scenes.map((scene, i) => ({ scene, i })).filter(({ i }) => i % every === 1);
  const levelAt = (i: number): LevelName => (i % 2 === 0 ? "study" : "harder");
  const amalgam = pick(3).map(({ scene, i }, n) =>
    caseOf(letter, scene, i, "amalgam", n % 3 === 2 ? 1e6 : 2e7, levelAt(n)),
  );
  const starved = pick(4).map(({ scene, i }, n) => caseOf(letter, scene, i, metals[n % 4]!, 1e4, levelAt(n)));
  return [...main, ...amalgam, ...starved];
}

const pairs: readonly (readonly [MetalName, MetalName])[] = [
  ["titanium", "cocr"],
  ["amalgam", "titanium"],
  ["steel", "ti6al4v"],
  ["titanium", "copper"],
  ["iron", "titanium"],
  ["ti6al4v", "amalgam"],
];

/** Two metals in every scene, in two or three parts. */
function mixedOf(letter: string, purpose: Purpose, count: number): Case[] {
  return scenesOf(purpose, 2 * count)
    .filter((_, i) => i % 2 === 1)
    .map((scene, i) => {
      const [metal, second] = pairs[i % pairs.length]!;
      const name = `${metal}+${second}`;
      const level: LevelName = i % 2 === 0 ? "study" : "harder";
      const parts = 2 + (i % 2);
      return { ...caseOf(letter, { ...scene, parts }, i, metal, doses[i % 3]!, level, name), second };
    });
}

/** "full" and "short" (eight of it) to judge by, "tuning" to develop with; the same with two metals per slice. */
export const suites = {
  full: suiteOf("e", "evaluation", 18),
  short: suiteOf("e", "evaluation", 18).filter((_, i) => i % 11 === 5),
  tuning: suiteOf("t", "tuning", 8),
  mixed: mixedOf("x", "evaluation", 12),
  "mixed-tuning": mixedOf("y", "tuning", 12),
} as const satisfies Record<string, readonly Case[]>;
export type SuiteName = keyof typeof suites;
