"""Build the workbook as a static site: the pages with answers, the glossary and two guides."""
