"""What scheduling costs, beside what others ask for it and what Python alone would take."""
