"""Computations for the lesson pages, without Streamlit."""
