"""Role score: from raw messages to a GPU's state and its records, one object a partition."""
