"""The arguments of a call: what they must be, and what stands in them."""
