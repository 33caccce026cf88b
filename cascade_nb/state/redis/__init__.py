"""Results and runs in a Redis server."""
