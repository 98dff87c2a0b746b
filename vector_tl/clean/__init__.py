"""What the program has written outside datasets and models: where it lies, and removing it."""
