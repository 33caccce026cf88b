"""Adapts to how kernels and IPython work inside."""
