"""Values as signed bytes, and back."""
