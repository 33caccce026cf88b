"""Runs calls in processes of their own, each of which can be stopped, killed and replaced."""
