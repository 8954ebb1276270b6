"""The timeline: what the clip holds over time, and where it is cut. No subject but time."""
