"""Places for what a picture shows, found by Graphviz in a child process."""
