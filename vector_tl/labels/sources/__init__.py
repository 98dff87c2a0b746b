"""Readers of the label formats of others, one a module; each is recognised by what its files hold."""
