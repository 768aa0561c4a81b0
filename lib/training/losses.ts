/** Losses as graphs: each gives one value per sample [N], so that samples can be weighted. */
import {
  abs,
  add,
  conv,
  div,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  sigmoid,
  softplus,
  square,
  sub,
  type Tensor,
} from "../graph/index.ts";

const flat = (t: Tensor): Tensor => reshape(t, [t.shape[0]!, -1]);
const perSample = (t: Tensor): Tensor => reduceMean(flat(t), [1]);

/** Mean absolute difference. */
export const l1 = (y: Tensor, target: Tensor): Tensor => perSample(abs(sub(y, target)));

/** Mean squared difference. */
export const l2 = (y: Tensor, target: Tensor): Tensor => perSample(square(sub(y, target)));

export interface SsimLossOptions {
  /** Largest minus smallest value; default 1. */
  readonly range?: number | undefined;
  /** Odd; default 11 with a Gaussian of deviation 1.5. */
  readonly window?: number | undefined;
}

/** 1 − SSIM (Wang et al. 2004, IEEE TIP 13) of images [N, C, H, W], Gaussian window, only where it lies inside. */
export function ssimLoss(y: Tensor, target: Tensor, { range = 1, window = 11 }: SsimLossOptions = {}): Tensor {
  const c = y.shape[1]!;
  const tap = Array.from({ length: window }, (_, i) => Math.exp(-((i - (window - 1) / 2) ** 2) / (2 * 1.5 ** 2)));
  const total = tap.reduce((a, b) => a + b, 0);
  const kernel = y.graph.constant(Array.from({ length: c }, () => tap.map((t) => t / total)).flat(), [c, 1, window, 1]);
  const across = reshape(kernel, [c, 1, 1, window]);
  const blur = (t: Tensor) => conv(conv(t, kernel, { groups: c }), across, { groups: c });
  const [a, b] = [blur(y), blur(target)];
  const [aa, bb, ab] = [square(a), square(b), mul(a, b)];
  const varA = sub(blur(square(y)), aa);
  const varB = sub(blur(square(target)), bb);
  const cov = sub(blur(mul(y, target)), ab);
  const [c1, c2] = [(0.01 * range) ** 2, (0.03 * range) ** 2];
  const luminance = div(add(mul(ab, 2), c1), add(add(aa, bb), c1));
  const structure = div(add(mul(cov, 2), c2), add(add(varA, varB), c2));
  return sub(1, perSample(mul(luminance, structure)));
}

/** Binary cross-entropy of logits against masks of 0 and 1: softplus(y) − y·t, mean over pixels. */
export const bceLoss = (logits: Tensor, mask: Tensor): Tensor => perSample(sub(softplus(logits), mul(logits, mask)));

/** 1 − (2·Σpt + 1) / (Σp + Σt + 1) with p = sigmoid(logits), the soft Dice of Milletari et al. 2016; the ones stand for masks that are empty. */
export function diceLoss(logits: Tensor, mask: Tensor): Tensor {
  const p = sigmoid(logits);
  const total = (t: Tensor) => reduceSum(flat(t), [1]);
  return sub(1, div(add(mul(total(mul(p, mask)), 2), 1), add(add(total(p), total(mask)), 1)));
}

/** Binary cross-entropy of logits against all ones ("real") or all zeros: what adversarial training asks of both sides. */
export const realLoss = (logits: Tensor): Tensor => perSample(softplus(mul(logits, -1)));
export const fakeLoss = (logits: Tensor): Tensor => perSample(softplus(logits));

/** The same, asked as least squares (X. Mao et al., "Least squares generative adversarial networks", ICCV 2017). */
export const realSquares = (logits: Tensor): Tensor => perSample(square(sub(logits, 1)));
export const fakeSquares = (logits: Tensor): Tensor => perSample(square(logits));
