"""Synthetic 360 scenes whose sound field is known exactly."""
