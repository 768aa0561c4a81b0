"""A training step in PyTorch as a long-lived process, the twin of bench/training/step.bench.ts: python training.py CASE.json THREADS.

CASE.json: {"network", "batch", "size", "optimizer", "files": {"parameters": {name: [file, shape]}, "x": …, "target": …}}, files raw float32.
Each line on stdin is a number of steps; each answer one JSON line {"loss": [..], "cpu": [ms], "wall": [ms], "peakMB"}.
"""

import json
import os
import resource
import sys
import time

case, threads = json.load(open(sys.argv[1])), int(sys.argv[2])
for name in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{name}_NUM_THREADS"] = str(threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from networks import network  # noqa: E402

torch.set_num_threads(threads)
read = lambda file, shape: torch.from_numpy(np.fromfile(file, "<f4").reshape(shape))
net = network(case["network"]).train()
with torch.no_grad():
    vector, at = np.fromfile(case["files"]["parameters"], "<f4"), 0
    named = dict(net.named_parameters())
    for name, shape in case["parameters"]:
        n = int(np.prod(shape))
        named.pop(name).copy_(torch.from_numpy(vector[at : at + n].reshape(shape)).reshape(shape))
        at += n
    assert not named and at == vector.size, f"other parameters: {sorted(named)}"
del vector
shape = [case["batches"], case["batch"], case["network"]["inChannels"], *case["size"]]
x, target = read(case["files"]["x"], shape), read(case["files"]["target"], shape)
t = torch.full((case["batch"],), 100.0)
o = case["optimizer"]
optimizer = torch.optim.AdamW(net.parameters(), lr=o["rate"], weight_decay=o["decay"])
done = 0

for line in sys.stdin:
    answer = {"loss": [], "cpu": [], "wall": []}
    for _ in range(int(line)):
        cpu, wall = time.process_time(), time.perf_counter()
        optimizer.zero_grad()
        loss = ((net({"x": x[done % len(x)], "t": t}) - target[done % len(x)]) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), o["clip"])
        optimizer.step()
        answer["loss"].append(loss.item())
        answer["cpu"].append(1e3 * (time.process_time() - cpu))
        answer["wall"].append(1e3 * (time.perf_counter() - wall))
        done += 1
    answer["peakMB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(answer), flush=True)
