"""Tests of the 360 picture."""
