"""What the commands of the Makefile are made of; no part of the package."""
