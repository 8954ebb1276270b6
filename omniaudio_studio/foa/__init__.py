"""The sound field: first-order ambisonics, NumPy only."""
