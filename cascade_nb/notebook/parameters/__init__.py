"""Lets a notebook's parameters be given once, in a form or by a magic, for all runs after that."""
