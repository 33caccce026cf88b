"""Values by content: the bytes that keys are made of."""
