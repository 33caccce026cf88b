"""The command `cascade-nb`."""
