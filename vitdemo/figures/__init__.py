"""Plotly figures: numbers in, `go.Figure` out. What all of them share is in style.py."""
