"""Image in, boxes out, and the backends that run the network."""
