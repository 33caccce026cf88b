"""A notebook's workspace as a module, a module as its workspace, and a run as a page."""
