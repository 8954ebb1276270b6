"""What the generator is trained on: recordings and clips, encoded once, kept as tar shards."""
