"""Which results are kept, found and written down, and for how long they stand."""
