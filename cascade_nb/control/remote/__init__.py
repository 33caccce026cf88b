"""Constraints that other programs send: their messages, envelopes, and what is in force of them."""
