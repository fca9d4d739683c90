"""The only code that knows Streamlit: controls, charts, the run picker. Pages put these in order."""
