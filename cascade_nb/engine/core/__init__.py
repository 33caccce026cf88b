"""What is ready, what has a result, what is skipped: the state of one run."""
