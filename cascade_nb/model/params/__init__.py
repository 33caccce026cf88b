"""Values that are given when a run starts."""
