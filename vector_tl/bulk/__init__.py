"""Labelled simulated images in bulk: drawn in this process, without a robot's protocol; see run.py."""
