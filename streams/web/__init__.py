"""The HTTP paths of role view, and the page."""
