"""A guarded robot behind one protocol, real, simulated or in memory; see base.py."""
