"""Weights that others trained, read into our networks."""
