"""The pages of the annotation: one file a page, and what all of them have."""
