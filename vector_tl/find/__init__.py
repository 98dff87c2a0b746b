"""One Vector finds another: detect, track, decide, drive; see loop.py."""
