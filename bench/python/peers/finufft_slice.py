"""The central-slice theorem on FINUFFT (eps 1e-4, upsampling 1.25), the fastest thing a Python user can put together for a parallel
beam on a CPU: projection by a type-2 transform to polar frequencies, back-projection by a type-1 transform."""

import math

import finufft
import numpy as np
import scipy.fft

from .ramp import ramp

packages = ["finufft", "scipy", "numpy"]


class Polar:
    """Plans and phases for the half plane of frequencies 2 pi m / bins, m = 0 ... bins // 2, of every view."""

    def __init__(self, case, slices, threads):
        self.bins, self.size, self.threads = case["bins"], case["size"], threads
        theta = np.deg2rad(np.asarray(case["angles"]))[:, None]
        omega = 2 * np.pi * np.arange(self.bins // 2 + 1)[None, :] / self.bins
        # Rows run downwards: row index is -y. Modes count from -N/2, pixels from -(N-1)/2.
        to_row, to_column = -omega * np.sin(theta), omega * np.cos(theta)
        half_pixel = 0.5 * (1 - self.size % 2)
        first_bin = -(self.bins - 1) / 2
        phase = np.exp(-1j * (half_pixel * (to_row + to_column)) + 1j * omega * first_bin)
        self.phase = phase.astype(np.complex64)
        self.omega = omega
        self.points = [p.astype(np.float32).ravel() for p in (to_row, to_column)]
        self.slices = slices

    def plan(self, kind, sign):
        options = dict(eps=1e-4, isign=sign, dtype="complex64", upsampfac=1.25, nthreads=self.threads)
        plan = finufft.Plan(kind, (self.size, self.size), n_trans=self.slices, **options)
        plan.setpts(*self.points)
        return plan

    def shape(self, spectrum):
        return spectrum.reshape(self.slices, *self.phase.shape)


def project(case, data, threads):
    polar = Polar(case, len(data), threads)
    plan = polar.plan(2, -1)
    squeeze = (lambda a: a[0]) if len(data) == 1 else (lambda a: a)

    def call():
        spectrum = polar.shape(plan.execute(squeeze(data.astype(np.complex64)))) * polar.phase
        return scipy.fft.irfft(spectrum, n=polar.bins, workers=threads)

    call.collect = lambda sinograms: sinograms
    return call


def back(case, slices, threads):
    polar = Polar(case, slices, threads)
    plan = polar.plan(1, 1)
    # sinc^2 is what linear interpolation between bins does to the spectrum; the half plane counts twice, its zero once.
    weight = np.conj(polar.phase) * (np.sinc(polar.omega / (2 * np.pi)) ** 2 * np.where(polar.omega == 0, 1, 2))
    weight = (weight / polar.bins).astype(np.complex64)

    def call(sinograms):
        spectrum = scipy.fft.rfft(sinograms, workers=threads) * weight
        spectrum = spectrum.reshape(slices, -1) if slices > 1 else spectrum.ravel()
        return plan.execute(spectrum).real.reshape(slices, polar.size, polar.size)

    return call


def backproject(case, data, threads):
    run = back(case, len(data), threads)

    def call():
        return run(data)

    call.collect = lambda images: images
    return call


def fbp(case, data, threads):
    run = back(case, len(data), threads)
    bins, views = case["bins"], len(case["angles"])
    length = scipy.fft.next_fast_len(2 * bins, real=True)
    response = (ramp(length) * (math.pi / views)).astype(np.float32)

    def call():
        spectrum = scipy.fft.rfft(data, n=length, workers=threads)
        return run(np.ascontiguousarray(scipy.fft.irfft(spectrum * response, n=length, workers=threads)[..., :bins]))

    call.collect = lambda images: images
    return call


operations = {"project": project, "backproject": backproject, "fbp": fbp}
