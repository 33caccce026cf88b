"""The functions of `cascade_nb` itself, such as `run` and `pause`, on the engines of a process."""
