"""Role store: records and samples as rows of the database, and rows back as messages."""
