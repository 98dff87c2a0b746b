"""A first film from one command, of simulated robots or of one's own; see run.py."""
