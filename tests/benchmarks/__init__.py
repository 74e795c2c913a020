"""Benchmarks: measurements of time, not tests."""
