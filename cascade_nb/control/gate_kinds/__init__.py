"""Kinds of gates: resources, and what tasks share in a process."""
