"""Calls that have not run yet, and what using one like a value does."""
