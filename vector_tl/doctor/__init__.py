"""What is missing or wrong with a set-up, and what to do about it."""
