"""The results of a grading run."""
