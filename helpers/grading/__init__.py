"""Grading that needs no trust in a notebook: what an instructor runs, never what a student imports."""
