"""The rule score and the failure probability of a GPU, and what they are made of."""
