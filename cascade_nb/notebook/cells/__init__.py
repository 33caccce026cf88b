"""Reads, runs and records `%%cascade` cells."""
