"""PyTorch operators as its users write them: rotate-and-sum projection and pixel-driven back-projection with grid_sample, the ramp
filter by torch.fft. N bins; batches are one call."""

import math

import torch
import torch.nn.functional as F

from .ramp import ramp

packages = ["torch"]


def angles_of(case):
    return torch.deg2rad(torch.tensor(case["angles"], dtype=torch.float64))


def project(case, data, threads):
    """The image is turned by grid_sample for every view and its rows are summed."""
    torch.set_num_threads(threads)
    images = torch.from_numpy(data)[:, None]
    c, s = torch.cos(angles_of(case)).tolist(), torch.sin(angles_of(case)).tolist()
    size = [len(data), 1, case["size"], case["size"]]

    def call():
        sinograms = torch.empty(len(data), len(c), case["size"])
        for v in range(len(c)):
            # (x, y) of grid_sample has y downwards; the ray of bin x runs through (c x + s y, -s x + c y)
            turn = torch.tensor([[[c[v], s[v], 0.0], [-s[v], c[v], 0.0]]]).expand(len(data), 2, 3)
            grid = F.affine_grid(turn, size, align_corners=False)
            torch.sum(F.grid_sample(images, grid, align_corners=False)[:, 0], dim=1, out=sinograms[:, v])
        return sinograms

    call.collect = lambda sinograms: sinograms.numpy()
    return call


def back_projection(case, slices):
    n = case["size"]
    # The middle of pixel i, over the half side: the position of bin x in grid_sample's units is x cos + y sin.
    x = (torch.arange(n) - (n - 1) / 2) * 2 / n
    c, s = torch.cos(angles_of(case)).tolist(), torch.sin(angles_of(case)).tolist()
    places = torch.zeros(1, n, n, 2)
    places_of = places.expand(slices, n, n, 2)

    def call(sinograms):
        images = torch.zeros(slices, 1, n, n)
        for v in range(len(c)):
            torch.add((x * c[v])[None, :], (x * -s[v])[:, None], out=places[0, :, :, 0])
            view = sinograms[:, None, v : v + 1, :]
            images += F.grid_sample(view, places_of, align_corners=False)
        return images[:, 0]

    return call


def backproject(case, data, threads):
    torch.set_num_threads(threads)
    sinograms = torch.from_numpy(data)
    back = back_projection(case, len(data))

    def call():
        return back(sinograms)

    call.collect = lambda images: images.numpy()
    return call


def fbp(case, data, threads):
    torch.set_num_threads(threads)
    sinograms = torch.from_numpy(data)
    bins, views = case["bins"], len(case["angles"])
    length = 2 ** math.ceil(math.log2(2 * bins))
    response = torch.from_numpy(ramp(length)).to(torch.float32) * (math.pi / views)
    back = back_projection(case, len(data))

    def call():
        spectrum = torch.fft.rfft(sinograms, n=length)
        return back(torch.fft.irfft(spectrum * response, n=length)[:, :, :bins].contiguous())

    call.collect = lambda images: images.numpy()
    return call


operations = {"project": project, "backproject": backproject, "fbp": fbp}
