"""Code by content: what the result of a function could depend on."""
