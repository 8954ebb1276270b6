"""View-models: state and what can be done with it; no widget in here."""
