"""What leaves: overlays, plots, deliverables."""
