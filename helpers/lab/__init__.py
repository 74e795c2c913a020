"""The student's copy of the pages, and the settings of JupyterLab."""
