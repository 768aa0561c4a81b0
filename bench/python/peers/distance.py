"""Exact Euclidean distance transforms: scipy.ndimage, edt (seung-lab) and OpenCV's precise one (2-D). Distance to the nearest 0."""

import importlib

import numpy as np

packages = ["scipy", "edt", "opencv-python-headless"]


def plain(call):
    call.collect = lambda result: np.asarray(result, np.float32)
    return call


def scipy_edt(case, data, threads):
    ndimage = importlib.import_module("scipy.ndimage")
    return plain(lambda: ndimage.distance_transform_edt(data[0]))


def seung_edt(case, data, threads):
    edt = importlib.import_module("edt")
    # Everything that is not 0 is one label, and the image's border is no background, as for the others.
    return plain(lambda: edt.edt(data[0], black_border=False, parallel=threads))


def opencv(case, data, threads):
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(threads)
    return plain(lambda: cv2.distanceTransform(data[0], cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


operations = {"distance:scipy": scipy_edt, "distance:edt": seung_edt, "distance:opencv": opencv}
