/**
 * What methods may be tuned on and what they are judged by, kept apart: slices by patient, or, of the two patients who are in both, by
 * region of the body (5 cm of it between them in one, 1.5 cm in the other); shapes of metal by their number. Everything that tunes
 * parameters takes `tuning`; everything that reports takes `evaluation`. Files are those of the real data (SINOGRAM_DATA); slices
 * with metal of their own, ports, fillings, wires, are in neither.
 */

export type Purpose = "tuning" | "evaluation";

export interface Region {
  patient: string;
  region: string;
  /** Nobody of this name is in `tuning`. */
  isFresh: boolean;
  purpose: Purpose;
  /** Paths below the folder of real data, those of ct-train below its unpacked archive. */
  files: readonly string[];
}

const numbered = (patient: string, first: number, last: number, name: (n: number) => string): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => `ct-train/${patient}/${name(first + i)}`);
const three = (n: number) => `1-${String(n).padStart(3, "0")}.dcm`;
const two = (n: number) => `${String(n).padStart(2, "0")}.dcm`;

const ofTrain = (
  purpose: Purpose,
  patient: string,
  region: string,
  isFresh: boolean,
  [first, last]: readonly [number, number],
  name = three,
): Region => ({ purpose, patient, region, isFresh, files: numbered(patient, first, last, name) });

export const regions: readonly Region[] = [
  ofTrain("tuning", "acrin-flt-breast", "abdomen", false, [100, 138]),
  ofTrain("tuning", "lung-fused-ct", "chest", false, [31, 98]),
  ofTrain("evaluation", "acrin-flt-breast", "pelvis and thighs", false, [152, 198]),
  ofTrain("evaluation", "lung-fused-ct", "neck and shoulders", false, [1, 15]),
  ofTrain("evaluation", "cmb-crc", "chest, sharp kernel", true, [36, 100]),
  ofTrain("evaluation", "c4kc-kits", "upper abdomen", true, [1, 18]),
  ofTrain("evaluation", "ge-head-tilted", "head", true, [1, 25], two),
  {
    purpose: "evaluation",
    patient: "cornerstone-chest",
    region: "shoulders",
    isFresh: true,
    files: ["dicom-syntaxes/CTImage.dcm"],
  },
  {
    purpose: "evaluation",
    patient: "cq500-310",
    region: "head",
    isFresh: true,
    files: ["dicom-syntaxes/pydicom-data/693_UNCR.dcm"],
  },
];

/** Values above this are metal: such slices are left out. */
export const mostHu = 2500;

/** Shapes of the metal library: even numbers to tune with, odd ones to judge by. */
export const isShapeOf = (purpose: Purpose, index: number): boolean => (index % 2 === 0) === (purpose === "tuning");
