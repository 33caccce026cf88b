"""Which results are kept, under which keys, and what is written down of a run."""
