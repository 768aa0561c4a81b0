/**
 * The factor by which a loss is multiplied so that its gradients are neither too small nor too large for float16. A step whose gradients
 * overflow is skipped and halves it; many good ones in a row double it. (Micikevicius et al. 2018, ICLR, 3.2.)
 */
export interface LossScaling {
  readonly scale: number;
  /** Good steps since it last changed. */
  readonly good: number;
  /** Steps skipped in all. */
  readonly skipped: number;
}

export const firstScaling: LossScaling = { scale: 2 ** 16, good: 0, skipped: 0 };

/** Good steps until it is doubled. */
export const patienceOfScale = 2000;

export const afterGood = ({ scale, good, skipped }: LossScaling): LossScaling =>
  good + 1 === patienceOfScale ? { scale: scale * 2, good: 0, skipped } : { scale, good: good + 1, skipped };

/** Undefined where no smaller factor will help: below one it is not the factor that overflows. */
export const afterOverflow = ({ scale, skipped }: LossScaling): LossScaling | undefined =>
  scale <= 1 ? undefined : { scale: scale / 2, good: 0, skipped: skipped + 1 };
