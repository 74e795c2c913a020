"""Sphinx configuration of the book; `python -m helpers.book` stages the sources first."""

import os
from importlib import metadata

project = "Keras workbook"
author = "The Keras workbook's authors"
copyright = "the authors; pages CC BY-SA 4.0"
version = release = metadata.version("keras-workbook")
language = "en"  # the command line chooses another

_HERE = os.path.dirname(os.path.abspath(__file__))
_BUILT = os.path.join(os.path.dirname(os.path.dirname(_HERE)), ".book")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "sphinx-mathjax-offline",
    "helpers.book.hovers",
    "helpers.book.languages",
]
# The second folder has the catalogue of the glossary, which is made from the glossary itself.
locale_dirs = [os.path.join(_HERE, "locale"), os.path.join(_BUILT, "locale")]
gettext_compact = False
gettext_uuid = False
exclude_patterns = ["**.student.ipynb"]
suppress_warnings = []

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"chtml": {"displayAlign": "left"}}

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "pydata_sphinx_theme"
html_title = project
templates_path = [os.path.join(_HERE, "templates")]
html_static_path = [os.path.join(_HERE, "static")]
html_sidebars = {"index": [], "start": [], "chapters/glossary": []}  # pages with no section
html_css_files = ["book.css", "print.css"]
html_js_files = ["book.js"]
html_theme_options = {
    "show_nav_level": 2,
    "show_toc_level": 2,
    "navbar_align": "left",
    "navbar_end": ["language-switch", "theme-switcher"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_copy_source = False
html_show_sourcelink = False
