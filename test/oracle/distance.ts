/** Distance to the nearest zero by trying every zero. `shape` is that of one transform (2-D or 3-D). */
export function distanceOracle(mask: Uint8Array, shape: readonly number[], spacing: readonly number[]): Float64Array {
  const position = (i: number) => {
    const at: number[] = [];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at.unshift((i % shape[axis]!) * spacing[axis]!);
      i = Math.floor(i / shape[axis]!);
    }
    return at;
  };
  const zeros = [...mask.keys()].filter((i) => mask[i] === 0).map(position);
  return Float64Array.from(mask, (_, i) => {
    const here = position(i);
    return Math.sqrt(Math.min(...zeros.map((zero) => zero.reduce((sum, x, axis) => sum + (x - here[axis]!) ** 2, 0))));
  });
}
