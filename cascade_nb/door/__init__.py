"""How other programs of this user reach the runs of a process, with no broker between them."""
