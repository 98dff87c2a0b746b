"""The simulator: a virtual Vector that the genuine SDK connects to."""
