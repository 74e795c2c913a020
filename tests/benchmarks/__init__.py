"""What is measured, not tested: how long things take."""
