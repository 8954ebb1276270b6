"""One painted strip of the timeline per file."""
