"""Benchmarks: the service under load, beside the figures of the same machine it is compared with."""
