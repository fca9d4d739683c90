"""Work that goes on while pages are shown: the queue of training runs, long tasks, downloads, measured speed."""
