"""Benchmarks: each part of ours beside its peers, the same job on the same broker in one run."""
