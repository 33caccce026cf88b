"""The workspace: the names of a notebook, and what each means today."""
