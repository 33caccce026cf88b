"""What is handed on of a run: events, a log, what waits say, its history and report."""
