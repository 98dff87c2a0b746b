"""Fixtures of the simulator's tests."""

from simulation import simulate  # noqa: F401
