"""Tasks: functions whose calls become nodes of a graph instead of running."""
