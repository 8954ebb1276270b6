"""The 360 picture: where the viewer looks, decoding slaved to a clock, drawing by GL or without."""
