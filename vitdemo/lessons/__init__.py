"""What the lesson pages compute. None of it knows Streamlit."""
