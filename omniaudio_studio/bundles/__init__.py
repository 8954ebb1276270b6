"""Model bundles: manifest, verification, discovery."""
