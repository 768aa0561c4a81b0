/** Intensities on the detector, one bin at a time, in double. Slow and obvious. */

/** −ln of the mean of e^{−p} over `parts` neighbours of every array. */
export function meanIntensityOracle(rays: readonly ArrayLike<number>[], parts: number): number[] {
  return Array.from({ length: rays[0]!.length / parts }, (_, bin) => {
    const p = rays.flatMap((array) => Array.from({ length: parts }, (_, s) => array[bin * parts + s]!));
    const least = Math.min(...p);
    return least - Math.log(p.reduce((sum, value) => sum + Math.exp(least - value), 0) / p.length);
  });
}

/** −ln(Σ_j h_j·e^{−p_{k+j}} + floor) − air_k for one line, both ends repeated. */
export function detectorResponseOracle(
  p: ArrayLike<number>,
  kernel: readonly number[],
  floor: number,
  air: ArrayLike<number>,
): number[] {
  const reach = (kernel.length - 1) / 2;
  return Array.from(p, (_, k) => {
    let intensity = floor;
    for (const [j, h] of kernel.entries())
      intensity += h * Math.exp(-p[Math.min(p.length - 1, Math.max(0, k + j - reach))]!);
    return -Math.log(intensity) - air[k]!;
  });
}
