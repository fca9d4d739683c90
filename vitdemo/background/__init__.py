"""Work in the background: training queue, long tasks, downloads, measured training speed."""
