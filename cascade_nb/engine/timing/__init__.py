"""When attempts began and ended, and what follows from that: how long the rest may take."""
