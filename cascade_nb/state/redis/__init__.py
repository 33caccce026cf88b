"""Keeps results and runs in a Redis server."""
