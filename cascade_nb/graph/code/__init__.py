"""Keys of code: everything in code that the result of a function could depend on."""
