"""How a student opens the workbook: a copy of the pages, and JupyterLab around it."""
