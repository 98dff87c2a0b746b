"""What a person sees of a run, and how a person starts, pauses and stops it."""
