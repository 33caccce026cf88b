"""The files, databases and variables that a task reads while it runs."""
