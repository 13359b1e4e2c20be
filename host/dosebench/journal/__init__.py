"""Records: fetched, kept, read."""
