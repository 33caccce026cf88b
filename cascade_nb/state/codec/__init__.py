"""Turns values into signed bytes, and back."""
