"""Turns values into the canonical bytes that keys are made of."""
