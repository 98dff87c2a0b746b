"""Jobs that do not depend on each other, for processes here or machines of a Ray cluster; see run.py."""
