"""What depends on how kernels and IPython work inside."""
