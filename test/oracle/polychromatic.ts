/** What polychromatic metal simulation computes, one ray and one energy at a time, in double. Slow and obvious. */

export interface OracleLayer {
  /** (µ/ρ)(E) for every energy of the spectrum. */
  massAttenuation: readonly number[];
  /** (µ/ρ) at the reference energy. */
  atReference: number;
  paths: ArrayLike<number>;
}

export function polychromaticOracle(photons: readonly number[], layers: readonly OracleLayer[]): Float64Array {
  const rays = layers[0]!.paths.length;
  const result = new Float64Array(rays);
  const total = photons.reduce((sum, n) => sum + n, 0);
  for (let ray = 0; ray < rays; ray++) {
    const exponents = photons.map((_, e) =>
      layers.reduce((sum, layer) => sum + (layer.paths[ray]! * layer.massAttenuation[e]!) / layer.atReference, 0),
    );
    const least = Math.min(...exponents);
    let through = 0;
    for (const [e, n] of photons.entries()) through += (n / total) * Math.exp(least - exponents[e]!);
    result[ray] = least - Math.log(through);
  }
  return result;
}

/** The trace eroded by three bins along the detector; what erosion removes gets a quarter. */
export function metalPathOracle(
  lengths: readonly number[],
  attenuation: number,
  div4: boolean,
): { paths: number[]; trace: number[] } {
  const trace = lengths.map((length) => (length > 0 ? 1 : 0));
  const eroded = trace.map((_, k) => Math.min(...trace.slice(Math.max(0, k - 1), k + 2)));
  const paths = lengths.map(
    (length, k) => attenuation * length * (div4 && trace[k] === 1 && eroded[k] === 0 ? 0.25 : 1),
  );
  return { paths, trace };
}

export function tissueOracle(hu: number, muWater: number, lowHu: number, highHu: number) {
  const mu = Math.max(0, muWater + (hu / 1000) * muWater);
  const low = muWater * (1 + lowHu / 1000);
  const high = muWater * (1 + highHu / 1000);
  const share = Math.min(1, Math.max(0, (mu - low) / (high - low)));
  return { mu, bone: share * mu, water: mu - share * mu };
}
