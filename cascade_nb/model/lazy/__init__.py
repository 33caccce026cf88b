"""Lazy values: calls that have not run yet, and what happens when one is used like its result."""
