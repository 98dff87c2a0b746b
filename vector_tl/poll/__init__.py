"""The blind vote on which of two models people like better."""
