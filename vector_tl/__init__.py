"""One Vector finds another: capture, train, find and film, with transfer learning beside training from scratch."""

__version__ = "0.1.0"
