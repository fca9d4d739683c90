"""Plotly figures: numbers in, go.Figure out. Colors and type that all of them share are in style.py."""
