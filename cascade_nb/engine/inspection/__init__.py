"""Looks at single nodes of a run: what they are given, how long they took, what holds them."""
