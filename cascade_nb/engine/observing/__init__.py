"""What is seen of a run: how its nodes stand, and why."""
