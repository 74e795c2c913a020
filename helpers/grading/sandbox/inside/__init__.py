"""Code that is copied into the sandbox and runs next to the student's code."""
