"""How near one sound field is to another: spectra, maps on the sphere, directions."""
