"""Films of two models or more on the same frames, and the page of a run."""
