"""Containers by kind: how each is taken apart and made again with other parts."""
