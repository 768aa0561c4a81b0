"""The ramp filter that the PyTorch and FINUFFT peers share."""

import numpy as np


def ramp(length):
    """The ramp's response from its samples in space (Kak & Slaney, eq. 3.61), bins of 1 mm, as rfft of that length wants it."""
    k = np.rint(np.fft.fftfreq(length) * length)
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = np.abs(k) % 2 == 1
    kernel[odd] = -1 / (np.pi * k[odd]) ** 2
    return np.fft.rfft(kernel).real
