"""The two SSD-MobileNets, their initial weights, and checkpoints."""
