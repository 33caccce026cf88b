"""Decides what each def and each call of a cell is: a task, a plain function, used at once."""
