"""How code uses names: what they stand for, what they are called with, what becomes of them."""
