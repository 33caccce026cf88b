"""Runs bodies in other processes: the attempt here, and what it finds around it there."""
