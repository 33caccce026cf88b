"""Which kept results stand for what a run would compute now, and for how long."""
