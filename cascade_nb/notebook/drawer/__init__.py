"""Answers what is asked about one node of a run that a panel shows."""
