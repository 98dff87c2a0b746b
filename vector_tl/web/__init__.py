"""Pages: the loopback server, report pages from templates, the stylesheet of all, and the terminal's keys."""
