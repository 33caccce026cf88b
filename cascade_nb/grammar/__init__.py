"""How commands are written, in a notebook and in a terminal."""
