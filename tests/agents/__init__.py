"""Tests of what coding agents ask for."""
