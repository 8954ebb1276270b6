"""Where the parts of a recording come from: found in the picture, by rule or by a network."""
