"""Writes and reads graphs and values as JSON, and graphs as pickles."""
