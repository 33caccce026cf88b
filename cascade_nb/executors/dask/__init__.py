"""Runs task bodies on a Dask cluster: what leaves a call here, what serves it there."""
