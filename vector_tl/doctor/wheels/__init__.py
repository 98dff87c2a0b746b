"""What `vector-tl doctor --wheels` checks on a robot: it turns the wheels, slowly and for moments only.

Nobody has run this on a real robot yet; it was tried on the simulated one.
"""
