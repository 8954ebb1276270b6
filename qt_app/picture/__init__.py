"""The 360 picture: where the viewer looks, decoding that follows a clock, drawing by GL or without."""
