"""Nugen's evaluations and benchmarks."""
