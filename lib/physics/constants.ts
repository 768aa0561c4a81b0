/** Attenuation of water in 1/mm that the field's simulations fix (XCOM at 70 keV: 0.01929). */
export const muWater70keV = 0.0192;

/** The effective energy of 120 kVp in those simulations: images hold attenuation at this energy. */
export const fieldReferenceKeV = 70;
