"""The magics `%cascade` and `%%cascade`: how their lines are read, and what they do."""
