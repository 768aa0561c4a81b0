/** Per-pixel operations in double, one pixel after the other. */
export function combineOracle(
  terms: readonly (readonly [number, Float32Array])[],
  { offset = 0, low = -Infinity, high = Infinity } = {},
): Float32Array {
  return terms[0]![1].map((_, i) => {
    const sum = terms.reduce((total, [weight, x]) => total + weight * x[i]!, offset);
    return sum < low ? low : Math.min(sum, high);
  });
}

export function statisticsOracle(values: Float32Array) {
  const finite = [...values].filter(Number.isFinite);
  return {
    nonFinite: values.length - finite.length,
    minimum: finite.length ? finite.reduce((a, b) => Math.min(a, b)) : Number.NaN,
    maximum: finite.length ? finite.reduce((a, b) => Math.max(a, b)) : Number.NaN,
    sum: finite.reduce((a, b) => a + b, 0),
  };
}
