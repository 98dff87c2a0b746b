"""Cameras: the room and the Vectors in it as images, with their ground truth."""
