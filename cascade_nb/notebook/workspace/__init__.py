"""The names of a notebook, and what each means today."""
