/**
 * How much noise a chain's start gets, by anatomy and metal: what the network knows well it may change more, and around much metal there is
 * more to change. docs/mar.md says what was measured for each row.
 */

/** Shares of the schedule: with metal of at most `few` of the image's pixels, and of at least `many`; in between by the logarithm. */
const strengths = {
  general: { small: 0.05, large: 0.05 },
  head: { small: 0.05, large: 0.1 },
  chest: { small: 0.1, large: 0.15 },
  abdomen: { small: 0.03, large: 0.02 },
  pelvis: { small: 0.05, large: 0.1 },
} as const;
const few = 6e-4;
const many = 6e-3;

export type Anatomy = keyof typeof strengths;
export const anatomies = Object.keys(strengths) as Anatomy[];

/** The strength for metal on this share of an image's pixels. */
export function strengthFor(anatomy: Anatomy, metalShare: number): number {
  const { small, large } = strengths[anatomy];
  const at = Math.log(Math.max(metalShare, few) / few) / Math.log(many / few);
  return small + (large - small) * Math.min(1, at);
}
