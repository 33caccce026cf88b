"""Finds places for what a picture shows, by Graphviz in a child process."""
