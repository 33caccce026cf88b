"""What a coding agent can ask for: to look at runs, plan, hold, let go of its own, and start."""
