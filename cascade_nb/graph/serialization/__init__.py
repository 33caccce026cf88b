"""Graphs and values as JSON, and graphs as pickles."""
