"""Questions that runs ask of people and of other programs, and what answers them."""
