"""The user interface: the only code that imports Streamlit. Pages put these parts in order."""
