"""One file per training stage."""
