"""The desktop app (PyQt6): view-models, widgets that show them, playback, head tracking."""
