"""The two databases: migrations, writing, maintenance, reading back."""
