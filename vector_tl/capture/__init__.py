"""Capturing a dataset: choosing and recording images of a robot, or making them in the simulator."""
