"""The sphere as pixels."""
