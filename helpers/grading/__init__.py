"""Grading that needs no trust in a notebook: run by instructors, never imported by students."""
