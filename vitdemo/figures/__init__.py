"""Plotly figures: numbers in, go.Figure out. Colours and type that all of them share are in style.py."""
