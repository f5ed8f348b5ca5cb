"""Benchmarks: the engine beside its peers, the same job on the same broker in one run."""
