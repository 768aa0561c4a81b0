/** What trust in inverted rays amounts to, ray by ray, in double. Slow and obvious. */

export interface TrustModel {
  photons: number;
  scatter: number;
  scatterError: number;
  crosstalk: number;
  metalError: number;
  edge: number;
  clear: number;
}

export function rayVarianceOracle(
  model: TrustModel,
  where: ArrayLike<number>,
  measured: ArrayLike<number>,
  slope: ArrayLike<number>,
  metal: ArrayLike<number>,
  bins: number,
): Float64Array {
  return Float64Array.from(where, (inside, i) => {
    if (!inside) return 0;
    if (!(metal[i]! > 0)) return model.clear ** 2;
    const start = i - (i % bins);
    const near = (values: ArrayLike<number>, k: number) =>
      values[start + Math.min(bins - 1, Math.max(0, (i % bins) + k))]!;
    const t = (k: number) => Math.max(Math.exp(-near(measured, k)), 1e-12);
    const g = 1 / slope[i]!;
    const counts = model.photons * t(0);
    const noise = (g * g * (counts + model.scatter)) / counts ** 2;
    const scatter = ((g * model.scatterError) / t(0)) ** 2;
    const jump = (Math.abs(t(-1) - t(0)) + Math.abs(t(1) - t(0))) / t(0);
    const crosstalk = (g * model.crosstalk * Math.min(30, jump)) ** 2;
    const steps = [-1, 0, 1].map((k) => Math.abs(near(metal, k + 1) - near(metal, k - 1)) / 2);
    return noise + scatter + crosstalk + (model.metalError * metal[i]!) ** 2 + (model.edge * Math.max(...steps)) ** 2;
  });
}
