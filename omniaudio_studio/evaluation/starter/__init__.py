"""How well a bundle generates, on scenes that it has not been trained on."""
