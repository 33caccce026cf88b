"""What is asked for a call beyond its function: retries, lifetime of its result, names, amounts."""
