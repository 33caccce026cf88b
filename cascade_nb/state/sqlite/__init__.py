"""Keeps results and runs in a database file."""
