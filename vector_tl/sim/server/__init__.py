"""The simulator's process: clock, servers, ground-truth channel and page."""
