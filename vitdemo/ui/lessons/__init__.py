"""The lesson pages: one module or two for each page, and what they share."""
