"""The user interface: the only code that imports Streamlit. Pages put these parts in order."""

import gc

gc.freeze()  # what Streamlit has imported: to go through it before the first paint takes 80 ms
