/** Seeded random numbers for tests (mulberry32); a failing case is rerun with its seed. */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function randomFloats(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = randomSource(seed);
  return Float32Array.from({ length }, () => next() * 2 - 1);
}
