"""Requests, the worker process and its client."""
