"""Loops and threads: the way onto a loop from outside, a loop of its own, work beside a loop."""
