"""Where a command asks: the processes of this machine, or engines on a broker."""
