"""Mass attenuation of the mismatch suite's materials, made once: pip install xraydb; python attenuation.py > attenuation.json

cm²/g at 15, 16 … 140 keV, by xraydb (public domain): "elam" from W. T. Elam, B. D. Ravel, J. R. Sieber, Radiation Physics and
Chemistry 63 (2002), and "chantler" from C. T. Chantler, J. Phys. Chem. Ref. Data 24 (1995) and 29 (2000), photoelectric and scattering
together. Tissues by ICRU Report 44, by weight; alloys by their usual compositions.
"""

import json

import numpy as np
import xraydb

materials = {
    "water": {"H": 0.1119, "O": 0.8881},
    "tissue": dict(H=0.102, C=0.143, N=0.034, O=0.708, Na=0.002, P=0.003, S=0.003, Cl=0.002, K=0.003),
    "bone": dict(H=0.034, C=0.155, N=0.042, O=0.435, Na=0.001, Mg=0.002, P=0.103, S=0.003, Ca=0.225),
    "aluminium": {"Al": 1.0},
    "tungsten": {"W": 1.0},
    "titanium": {"Ti": 1.0},
    "ti6al4v": {"Ti": 0.90, "Al": 0.06, "V": 0.04},
    "iron": {"Fe": 1.0},
    "steel": dict(Fe=0.655, Cr=0.17, Ni=0.12, Mo=0.025, Mn=0.02, Si=0.01),
    "cocr": dict(Co=0.65, Cr=0.28, Mo=0.06, Si=0.01),
    "copper": {"Cu": 1.0},
    "amalgam": dict(Hg=0.48, Ag=0.33, Sn=0.13, Cu=0.06),
}
energies = np.arange(15, 141)
sources = {
    "elam": lambda element: xraydb.mu_elam(element, energies * 1e3, kind="total"),
    "chantler": lambda element: xraydb.mu_chantler(element, energies * 1e3),
}


def mixture(parts, mu):
    return [float(f"{value:.4g}") for value in sum(share * mu(element) for element, share in parts.items()) / sum(parts.values())]


print(
    json.dumps(
        {
            "firstKeV": int(energies[0]),
            **{source: {name: mixture(parts, mu) for name, parts in materials.items()} for source, mu in sources.items()},
        }
    )
)
