"""What is copied into the sandbox and runs beside the student's code."""
