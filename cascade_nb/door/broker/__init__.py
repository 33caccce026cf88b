"""Asking engines on other machines over a broker, and being asked there."""
