"""Decides what is drawn of a graph, before anybody says how."""
