/** Noise levels as DPM-Solver and UniPC have them: x = α·clean + σ·noise with α² + σ² = 1, and λ = ln(α/σ). */
export interface Level {
  readonly alpha: number;
  readonly sigma: number;
  readonly lambda: number;
}

/** From s = σ/α; λ of s = 0 is infinite. */
export function levelAt(s: number): Level {
  const alpha = 1 / Math.sqrt(1 + s * s);
  return { alpha, sigma: s * alpha, lambda: -Math.log(s) };
}
