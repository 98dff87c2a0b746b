"""One Vector finds another, and shows what transfer learning is worth: capture, train, find, film."""

__version__ = "0.1.0"
