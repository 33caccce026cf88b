"""Shows all runs of a kernel in one small panel: what holds them, and how two of them differ."""
