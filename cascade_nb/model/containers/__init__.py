"""Takes containers of every kind apart, and makes them again with other parts."""
