"""What a run shows in the page."""
