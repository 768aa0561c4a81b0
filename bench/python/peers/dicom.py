"""pydicom: a folder to a float32 volume in HU, sorted by position."""

import os

import numpy as np
import pydicom

packages = ["pydicom", "numpy"]


def read(case, data, threads):
    folder = case["folder"]

    def call():
        slices = [pydicom.dcmread(entry.path) for entry in os.scandir(folder)]
        slices.sort(key=lambda s: float(s.ImagePositionPatient[2]))
        hu = np.empty((len(slices), slices[0].Rows, slices[0].Columns), np.float32)
        for out, s in zip(hu, slices):
            np.multiply(s.pixel_array, np.float32(s.RescaleSlope), out=out, casting="unsafe")
            out += np.float32(s.RescaleIntercept)
        return hu

    call.collect = lambda hu: hu
    return call


operations = {"read-series": read}
