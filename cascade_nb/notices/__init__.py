"""Tells people who look elsewhere that a run has ended, failed, is held by itself or asks."""
