"""One peer as a long-lived process: python worker.py PEER THREADS.

Reads one JSON request per line on stdin and answers one JSON line on stdout:
    {"do": "describe"}                                            -> {"versions": {...}} or {"missing": "..."}
    {"do": "prepare", "operation", "case", "input": "x.npy"}      -> {}
    {"do": "run", "operation", "repeat": n}                       -> {"wall": [ms], "cpu": [ms]}
    {"do": "save", "operation", "output": "y.npy"}                -> {}   (runs; a large result as its ends)
    {"do": "forget"}                                              -> {}   (everything prepared)
Several operations of one peer may be prepared at a time. A failure is answered {"error": "..."}; the process stays.
"""

import gc
import importlib
import json
import os
import sys
import time

PEER, THREADS = sys.argv[1], int(sys.argv[2])
for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{name}_NUM_THREADS"] = str(THREADS)

# The protocol has the original stdout to itself: packages that print do so on stderr.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

import numpy as np  # noqa: E402  (after the thread counts are set)

calls = {}  # what is prepared, by operation
WHOLE = 2**25  # elements; of larger results the first and the last slice are compared, as bench/compare/ours.ts does


def describe(peer):
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in peer.packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            pass
    return {"versions": versions, "operations": list(peer.operations)}


def forget():
    for call in calls.values():
        getattr(call, "close", lambda: None)()
    calls.clear()
    gc.collect()
    return {}


def prepare(peer, request):
    data = np.load(request["input"]) if request.get("input") else None
    if data is not None and "slice" in request["case"]:
        data = data.reshape(-1, *request["case"]["slice"])
    operation = request["operation"]
    calls[operation] = peer.operations[operation](request["case"], data, THREADS)
    return {}


def run(request):
    call, wall, cpu = calls[request["operation"]], [], []
    for _ in range(request["repeat"]):
        cpu_start, start = time.process_time(), time.perf_counter()
        call()
        wall.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.process_time() - cpu_start) * 1e3)
    return {"wall": wall, "cpu": cpu}


def save(request):
    call = calls[request["operation"]]
    result = np.asarray(call.collect(call()), np.float32)
    result = result.reshape(-1, *result.shape[-2:])
    if result.size > WHOLE:
        result = result[[0, -1]]
    np.save(request["output"], np.ascontiguousarray(result))
    return {}


def answer(peer, request):
    does = {
        "describe": lambda: describe(peer),
        "prepare": lambda: prepare(peer, request),
        "run": lambda: run(request),
        "save": lambda: save(request),
        "forget": forget,
    }
    return does[request["do"]]()


def main():
    try:
        peer = importlib.import_module(f"peers.{PEER}")
    except ImportError as error:
        peer = None
        missing = str(error)
    for line in sys.stdin:
        try:
            reply = {"missing": missing} if peer is None else answer(peer, json.loads(line))
        except Exception as error:  # whatever a package throws is an answer, not the end of the comparison
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")


main()
