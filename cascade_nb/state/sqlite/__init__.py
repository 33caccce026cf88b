"""Results and runs in a database file."""
