"""How the body of a task gets to run: inline, as a coroutine or in a thread."""
