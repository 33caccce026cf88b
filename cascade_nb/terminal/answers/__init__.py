"""What is asked, and how a terminal answers it: at a door, or over a broker."""
