"""The Attention page: one file for each of its views, and `state` for what stands in session and address."""
