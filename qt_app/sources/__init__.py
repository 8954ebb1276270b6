"""Where a clip's sounds come from, as people mark it: sources on their paths, and hints."""
