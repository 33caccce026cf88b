"""Copies values, so that nobody sees what another changed."""
