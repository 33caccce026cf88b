"""Fingerprints: the key of a node, and why it has none, or another than before."""
