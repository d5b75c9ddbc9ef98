"""Role notify: who is woken, for what, and why not."""
