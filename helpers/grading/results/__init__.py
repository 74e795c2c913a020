"""What a grading run leaves behind."""
