"""Kinds of gates: breakers, resources, and what tasks share in a process."""
