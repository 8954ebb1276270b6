"""Playback in a process of its own: nothing that the window does can starve it."""
