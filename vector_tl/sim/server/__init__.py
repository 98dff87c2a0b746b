"""The simulator's process: clock, servers, truth channel and page."""
