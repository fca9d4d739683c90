"""The Attention page: one file for each tab; `state` is what the session and the URL hold."""
