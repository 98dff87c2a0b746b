"""Experiments on what to train from: compare COCO's weights with a random start, retrain, make a lesson."""
