"""Grading of untrusted notebooks: run by instructors, never imported by students."""
