"""Bodies in processes: what goes there, what comes back, and what happens when one ends."""
