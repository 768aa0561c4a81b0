/** How far apart two sets of features lie, as normal distributions. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { type ArrayLike, checkArray } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { rowMajorData } from "../data/elements.ts";

/**
 * Fréchet distance of features [n, feature] and [m, feature]: |μ − ν|² + tr(Σ + Τ − 2(ΣΤ)^½), of means μ, ν and covariances Σ, Τ
 * (Heusel et al. 2017, NeurIPS; there on features of Inception). Comparable only for the same features and like numbers of images: few
 * images leave covariances short of rank, which makes the distance larger. Throws ERR_SINO_SHAPE (fewer than two images; other features).
 */
export function frechetDistance(a: ArrayLike, b: ArrayLike): number {
  const [p, q] = [momentsOf(a, "a"), momentsOf(b, "b")];
  if (p.mean.length !== q.mean.length)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected as many features of both but received ${p.mean.length} and ${q.mean.length}.`,
    );
  const apart = p.mean.reduce((sum, v, i) => sum + (v - q.mean[i]!) ** 2, 0);
  // (ΣΤ)^½ has the trace of the symmetric (Σ^½ Τ Σ^½)^½
  const root = powered(p.covariance, 0.5);
  const inner = root.mmul(q.covariance).mmul(root);
  const traceOfRoot = eigenvalues(inner).reduce((sum, v) => sum + Math.sqrt(Math.max(0, v)), 0);
  return Math.max(0, apart + p.covariance.trace() + q.covariance.trace() - 2 * traceOfRoot);
}

function momentsOf(features: ArrayLike, name: string): { mean: number[]; covariance: Matrix } {
  checkArray(features, name);
  const [n, d] = features.shape;
  if (features.shape.length !== 2 || !(n! >= 2) || !(d! >= 1))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected features [n, feature] of at least two images for ${name} but received ${show(features.shape)}.`,
    );
  const rows = Matrix.from1DArray(n!, d!, Array.from(rowMajorData(features)));
  const mean = rows.mean("column");
  const centred = rows.subRowVector(mean);
  return {
    mean,
    covariance: centred
      .transpose()
      .mmul(centred)
      .div(n! - 1),
  };
}

const symmetric = (m: Matrix): Matrix => Matrix.add(m, m.transpose()).mul(0.5);

const eigenvalues = (m: Matrix): number[] =>
  new EigenvalueDecomposition(symmetric(m), { assumeSymmetric: true }).realEigenvalues;

function powered(m: Matrix, power: number): Matrix {
  const { eigenvectorMatrix: v, realEigenvalues } = new EigenvalueDecomposition(symmetric(m), {
    assumeSymmetric: true,
  });
  const scaled = Matrix.diag(realEigenvalues.map((e) => Math.max(0, e) ** power));
  return v.mmul(scaled).mmul(v.transpose());
}
