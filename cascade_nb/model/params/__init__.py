"""Parameters: values that are given when a run starts."""
