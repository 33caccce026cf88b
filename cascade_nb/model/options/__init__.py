"""What a user asks for a call beyond its function: name, retry, timeout, resources, reuse."""
