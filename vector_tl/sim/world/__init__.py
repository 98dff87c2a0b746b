"""The world: a room, the bodies in it, and how they move."""
