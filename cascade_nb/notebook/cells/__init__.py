"""How a `%%cascade` cell is read, run and recorded."""
