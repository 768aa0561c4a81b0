"""Dual-domain diffusion as it is usually written: PyTorch for the network, ASTRA for the projections, one slice after the other.

    python bench/python/dudodp.py TASK.json

TASK.json names `model` (a folder of sinogram train), `sinograms` [slice, view, bin], `masks` [slice, row, column] (.npy), `geometry`,
`steps`, `threads`, `seed`, `output`, and `hoisted`: whether what does not change from step to step is made once, which the published
code does not. Prints seconds of the loop as JSON, by the clock and of the processor. The steps are those of DuDoDp (X. Liu et al., IEEE TMI 2024),
with the views where they were measured.
"""

import json
import sys
import time
from pathlib import Path

import astra
import numpy as np
import torch

from networks import UNet

WATER = 0.0192  # 1/mm


def read_weights(path):
    """Tensors by name, of a safetensors file."""
    data = Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, end = (8 + size + offset for offset in entry["data_offsets"])
            values = np.frombuffer(data[first:end], np.float32).reshape(entry["shape"])
            tensors[name] = torch.from_numpy(values.copy())
    return tensors


class Scan:
    """Projection and FBP of parallel beams (ASTRA has no FBP of fans on processors), lengths in pixels inside ASTRA, 1/mm outside."""

    def __init__(self, g):
        self.rows, self.columns = g["image"]["shape"]
        pixel = g["image"]["pixelMm"]
        self.pixel = pixel if isinstance(pixel, (int, float)) else pixel[0]
        self.views, self.bins = len(g["angles"]), g["bins"]
        self.volume = astra.create_vol_geom(self.rows, self.columns)
        angles = np.deg2rad(np.asarray(g["angles"]))
        self.scan = astra.create_proj_geom("parallel", g["binMm"] / self.pixel, self.bins, angles)
        self.projector = astra.create_projector("linear", self.scan, self.volume)

    def run(self, name, options):
        config = astra.astra_dict(name)
        config.update(options, ProjectorId=self.projector)
        algorithm = astra.algorithm.create(config)
        astra.algorithm.run(algorithm)
        astra.algorithm.delete(algorithm)

    def project(self, mu):
        image = astra.data2d.create("-vol", self.volume, np.ascontiguousarray(mu * self.pixel, np.float32))
        sinogram = astra.data2d.create("-sino", self.scan)
        self.run("FP", {"ProjectionDataId": sinogram, "VolumeDataId": image})
        result = astra.data2d.get(sinogram)
        astra.data2d.delete([image, sinogram])
        return result

    def fbp(self, rays):
        sinogram = astra.data2d.create("-sino", self.scan, np.ascontiguousarray(rays, np.float32))
        image = astra.data2d.create("-vol", self.volume)
        self.run("FBP", {"ProjectionDataId": sinogram, "ReconstructionDataId": image, "FilterType": "Ram-Lak"})
        result = astra.data2d.get(image) / self.pixel
        astra.data2d.delete([image, sinogram])
        return result


def alphas(diffusion):
    steps = diffusion.get("steps", 1000)
    if diffusion.get("kind", "cosine") == "cosine":
        bar = lambda t: np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
        t = np.arange(steps)
        betas = np.minimum(1 - bar((t + 1) / steps) / bar(t / steps), 0.999)
    else:
        betas = np.linspace(1e-4, 0.02, steps)
    return np.cumprod(1 - betas)


def clean_of(prediction, x, said, bar):
    a, s = np.sqrt(bar), np.sqrt(1 - bar)
    return {"v": a * x - s * said, "epsilon": (x - s * said) / a, "sample": said}[prediction]


@torch.no_grad()
def correct(network, card, scan, sinogram, mask, task, generator):
    training = card["training"]
    data, diffusion = training["data"], training["diffusion"]
    scale = 1000 * data["factor"] / WATER
    shift = -(1000 + data["offset"]) * data["factor"]
    low, high = ((v - data["offset"]) * data["factor"] for v in data["range"])
    bars = alphas(diffusion)
    total, count = len(bars), task["steps"]
    times = [round(total - i * total / count) - 1 for i in range(count)]
    trace = scan.project(mask) > 0
    weights = lambda delta: np.clip(scan.fbp(40 * delta * trace), 0, 1)  # 4 in 1/cm
    once = {"measured": scale * scan.fbp(sinogram) + shift, "base": scan.fbp(40.0 * trace)} if task["hoisted"] else None
    x = torch.randn(1, 1, scan.rows, scan.columns, generator=generator)
    for i, t in enumerate(times):
        said = network({"x": x, "t": torch.tensor([float(t)])})
        clean = clean_of(diffusion["prediction"], x, said, bars[t]).clamp(low, high)[0, 0].numpy()
        rays = np.where(trace, scan.project((clean - shift) / scale), sinogram)
        consistent = scale * scan.fbp(rays) + shift
        delta = 1 - 0.6 * np.exp(-4 * (t + 1) / total)
        if once:
            measured, m, my = once["measured"], np.clip(delta * once["base"], 0, 1), np.clip(0.8 * once["base"], 0, 1)
        else:
            measured, m, my = scale * scan.fbp(sinogram) + shift, weights(delta), weights(0.8)
        keep = np.sqrt(bars[t])
        fused = keep * (m * clean + (1 - m) * consistent) + (1 - keep) * (my * clean + (1 - my) * measured)
        x = torch.from_numpy(fused.astype(np.float32))[None, None]
        if i + 1 < count:
            bar = bars[times[i + 1]]
            x = np.sqrt(bar) * x + np.sqrt(1 - bar) * torch.randn(x.shape, generator=generator)
            x = x.float()
    return (x[0, 0].numpy() - shift) / scale


def main():
    task = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(task["threads"])
    folder = Path(task["model"])
    card = json.loads((folder / "model.json").read_text())
    network = UNet(card["network"])
    network.load_state_dict(read_weights(folder / "weights.safetensors"))
    network.eval()
    scan = Scan(task["geometry"])
    sinograms, masks = np.load(task["sinograms"]), np.load(task["masks"])
    generator = torch.Generator().manual_seed(task["seed"])
    with torch.no_grad():  # the first run is slower
        network({"x": torch.zeros(1, 1, scan.rows, scan.columns), "t": torch.tensor([5.0])})
    clock, processor = time.perf_counter(), time.process_time()
    images = [correct(network, card, scan, s, m, task, generator) for s, m in zip(sinograms, masks.astype(np.float32))]
    used = {"seconds": time.perf_counter() - clock, "processorSeconds": time.process_time() - processor}
    np.save(task["output"], np.stack(images).astype(np.float32))
    print(json.dumps(used))


if __name__ == "__main__":
    main()
