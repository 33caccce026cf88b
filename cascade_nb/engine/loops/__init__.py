"""The event loops and threads that an engine works on."""
