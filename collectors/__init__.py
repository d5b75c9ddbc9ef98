"""What runs on GPU hosts or reads what they recorded. Imports schemas alone."""
