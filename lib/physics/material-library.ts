/** What is known by name: nominal density (g/cm³) and composition by weight. */
import type { Element } from "./element-table.ts";

export interface MaterialEntry {
  density: number;
  /** Weights of any scale. */
  parts: Readonly<Partial<Record<Element, number>>>;
}

/**
 * Tissues: ICRU Report 44. Alloys: nominal compositions of ASTM F136 (Ti-6Al-4V), F75 (CoCr), F138 (316L steel), F2063 (nitinol).
 * Amalgam: a silver-tin-copper alloy with its weight of mercury. Iodine: the element; a contrast agent's layer is its line integral.
 */
export const materialLibrary = {
  water: { density: 1, parts: { H: 0.111898, O: 0.888102 } },
  bone: {
    density: 1.92,
    parts: { H: 0.034, C: 0.155, N: 0.042, O: 0.435, Na: 0.001, Mg: 0.002, P: 0.103, S: 0.003, Ca: 0.225 },
  },
  titanium: { density: 4.5, parts: { Ti: 1 } },
  iron: { density: 7.8, parts: { Fe: 1 } },
  copper: { density: 8.9, parts: { Cu: 1 } },
  gold: { density: 19.3, parts: { Au: 1 } },
  "soft tissue": {
    density: 1.06,
    parts: { H: 0.102, C: 0.143, N: 0.034, O: 0.708, Na: 0.002, P: 0.003, S: 0.003, Cl: 0.002, K: 0.003 },
  },
  adipose: { density: 0.95, parts: { H: 0.114, C: 0.598, N: 0.007, O: 0.278, Na: 0.001, S: 0.001, Cl: 0.001 } },
  iodine: { density: 4.93, parts: { I: 1 } },
  aluminium: { density: 2.699, parts: { Al: 1 } },
  chromium: { density: 7.19, parts: { Cr: 1 } },
  cobalt: { density: 8.9, parts: { Co: 1 } },
  nickel: { density: 8.9, parts: { Ni: 1 } },
  silver: { density: 10.5, parts: { Ag: 1 } },
  tin: { density: 7.31, parts: { Sn: 1 } },
  tungsten: { density: 19.3, parts: { W: 1 } },
  platinum: { density: 21.45, parts: { Pt: 1 } },
  mercury: { density: 13.55, parts: { Hg: 1 } },
  ti6al4v: { density: 4.43, parts: { Ti: 0.9, Al: 0.06, V: 0.04 } },
  steel: { density: 8, parts: { Fe: 0.655, Cr: 0.17, Ni: 0.12, Mo: 0.025, Mn: 0.02, Si: 0.01 } },
  cocr: { density: 8.3, parts: { Co: 0.64, Cr: 0.285, Mo: 0.06, Si: 0.0075, Mn: 0.0075 } },
  nitinol: { density: 6.45, parts: { Ni: 0.56, Ti: 0.44 } },
  amalgam: { density: 11, parts: { Hg: 0.5, Ag: 0.3, Sn: 0.13, Cu: 0.07 } },
  "gold alloy": { density: 15.5, parts: { Au: 0.75, Ag: 0.12, Cu: 0.1, Pd: 0.02, Zn: 0.01 } },
  zirconia: { density: 6.05, parts: { Zr: 0.7403, O: 0.2597 } },
} as const satisfies Readonly<Record<string, MaterialEntry>>;

export type MaterialName = keyof typeof materialLibrary;

/** Chemical symbols and other names, lower case and without spaces. */
export const shortNames: Readonly<Record<string, MaterialName>> = {
  h2o: "water",
  corticalbone: "bone",
  softtissue: "soft tissue",
  tissue: "soft tissue",
  fat: "adipose",
  ti: "titanium",
  fe: "iron",
  cu: "copper",
  au: "gold",
  i: "iodine",
  al: "aluminium",
  aluminum: "aluminium",
  cr: "chromium",
  co: "cobalt",
  ni: "nickel",
  ag: "silver",
  sn: "tin",
  w: "tungsten",
  pt: "platinum",
  hg: "mercury",
  stainlesssteel: "steel",
  "316l": "steel",
  cobaltchrome: "cocr",
  cobaltchromium: "cocr",
  vitallium: "cocr",
  goldalloy: "gold alloy",
};
