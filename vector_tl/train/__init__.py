"""Training: the loop, its batches and augmentation."""
