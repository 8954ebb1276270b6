"""Head tracking over OSC: orientations in from head trackers, the look out to rotators in a DAW."""
