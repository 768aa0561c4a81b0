"""scikit-image's radon and iradon: N bins, sinograms as [bin, view], rotation about pixel N // 2 (the case says so to everyone)."""

import warnings

import numpy as np
from skimage.transform import iradon, iradon_sart, radon

from .slices import over_slices

packages = ["scikit-image"]
warnings.filterwarnings("ignore", message="Radon transform: image must be zero outside")


def project(case, data, threads):
    theta = np.asarray(case["angles"])
    run = over_slices(lambda s: radon(data[s], theta=theta, circle=True, preserve_range=True), len(data), threads)
    return collected(run, lambda sinogram: sinogram.T)


def reconstruct(filter_name):
    def prepare(case, data, threads):
        theta = np.asarray(case["angles"])
        columns = [np.ascontiguousarray(sinogram.T) for sinogram in data]

        def one(s):
            return iradon(columns[s], theta=theta, filter_name=filter_name, circle=True, preserve_range=True)

        run = over_slices(one, len(data), threads)
        # Without a filter iradon still multiplies by pi / (2 views); undone when the result is compared, outside the time.
        scale = 1 if filter_name else 2 * len(theta) / np.pi
        return collected(run, lambda image: image * scale)

    return prepare


def sart(case, data, threads):
    theta = np.asarray(case["angles"])
    columns = [np.ascontiguousarray(sinogram.T, dtype=np.float32) for sinogram in data]

    def one(s):
        image = None
        for _ in range(case["iterations"]):
            image = iradon_sart(columns[s], theta=theta, image=image, relaxation=case["relaxation"])
        return image

    return collected(over_slices(one, len(data), threads), lambda image: image)


def collected(run, each):
    def call():
        return run()

    call.collect = lambda results: np.stack([each(result) for result in results])
    return call


operations = {"project": project, "backproject": reconstruct(None), "fbp": reconstruct("ramp"), "sart": sart}
