"""Finds what code does beside computing, as far as its text tells."""
