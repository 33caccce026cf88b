"""What is told of a run: status, events, history, answers."""
