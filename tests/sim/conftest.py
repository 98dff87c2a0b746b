"""Fixtures of the simulator's tests."""

from simulation import meet, simulate  # noqa: F401
