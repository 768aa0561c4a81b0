"""Slices over operating-system threads, for packages that have no threads inside."""

from concurrent.futures import ThreadPoolExecutor


def over_slices(work, slices, threads):
    """A call that runs work(slice) for every slice: one after another, or on a pool of `threads`."""
    if threads == 1 or slices == 1:
        return lambda: [work(s) for s in range(slices)]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(work, range(slices)))
