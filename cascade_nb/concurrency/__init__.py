"""Loops and threads: calls onto a loop from outside, a loop of its own, work in threads."""
