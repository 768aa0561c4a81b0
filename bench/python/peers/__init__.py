"""One module per peer. Each has `packages` (names to report versions of) and `operations`: name -> function(case, data, threads)
that prepares everything outside the measured time and returns the call to measure, which returns an array."""
