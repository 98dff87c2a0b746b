"""Formats: images, boxes, the dataset with its YOLO labels, media, recordings; what a dataset covers."""
