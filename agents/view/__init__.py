"""Role view: the records of a GPU as the rows, lists and windows that the look-ups show."""
