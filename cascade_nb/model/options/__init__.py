"""What is asked for a call beyond its function: retries, age of its result, names, amounts."""
