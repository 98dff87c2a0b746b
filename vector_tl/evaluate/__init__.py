"""Metrics of a model on labelled images, their intervals, and a report."""
