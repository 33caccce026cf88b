"""What a run would do, and why."""
