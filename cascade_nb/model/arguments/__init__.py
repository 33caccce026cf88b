"""The arguments of a call: checked, searched for lazy values, copied or watched."""
