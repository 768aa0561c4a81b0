"""ASTRA Toolbox on the CPU: projector, transpose and FBP by object ids, created outside the measured time. ASTRA's CPU code has no
threads inside; a batch is spread over operating-system threads."""

import astra
import numpy as np

from .slices import over_slices

packages = ["astra-toolbox"]


def geometries(case):
    angles = np.deg2rad(np.asarray(case["angles"]))
    size = case["size"]
    volume = astra.create_vol_geom(size, size)
    if case["beam"] == "parallel":
        return volume, astra.create_proj_geom("parallel", 1.0, case["bins"], angles)
    # ASTRA wants the distance from axis to detector, not from source to detector.
    to_detector = case["sdd"] - case["sod"]
    return volume, astra.create_proj_geom("fanflat", case["binMm"], case["bins"], angles, case["sod"], to_detector)


def runner(algorithm, kind, from_image):
    """`algorithm` from images to sinograms (from_image) or back, with the projector `kind`; as often as the case says, from zero."""

    def prepare(case, data, threads):
        volume, scan = geometries(case)
        fan = "_fanflat" if case["beam"] == "fan" else ""
        images, sinograms, algorithms, configurations = [], [], [], []
        for slice_ in data:
            image = astra.data2d.create("-vol", volume, slice_ if from_image else 0)
            sinogram = astra.data2d.create("-sino", scan, 0 if from_image else slice_)
            options = astra.astra_dict(algorithm)
            options["ProjectorId"] = astra.create_projector(kind + fan, scan, volume)
            options["ProjectionDataId"] = sinogram
            options["VolumeDataId" if from_image else "ReconstructionDataId"] = image
            if algorithm == "FBP":
                options["FilterType"] = "Ram-Lak"
            images.append(image)
            sinograms.append(sinogram)
            configurations.append(options)
            algorithms.append(astra.algorithm.create(options))
        iterations = case.get("iterations", 1)

        def one(s):
            if iterations > 1:  # from zero: CGLS keeps its directions
                astra.data2d.store(images[s], 0)
                astra.algorithm.delete(algorithms[s])
                algorithms[s] = astra.algorithm.create(configurations[s])
            astra.algorithm.run(algorithms[s], iterations)

        run = over_slices(one, len(data), threads)
        results = sinograms if from_image else images

        def call():
            run()
            return results

        call.collect = lambda ids: np.stack([astra.data2d.get(i) for i in ids])
        call.close = astra.clear
        return call

    return prepare


operations = {}
for kind in ("linear", "line", "strip"):
    operations[f"project:{kind}"] = runner("FP", kind, True)
    operations[f"transpose:{kind}"] = runner("BP", kind, False)
    operations[f"fbp:{kind}"] = runner("FBP", kind, False)
    operations[f"sirt:{kind}"] = runner("SIRT", kind, False)
    operations[f"cgls:{kind}"] = runner("CGLS", kind, False)
