"""Widgets: they show a view-model and call it."""
