"""The documentation site: `make docs`."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

REPOSITORY = Path(__file__).parents[1]

project = "torch_elu"
author = "the torch_elu authors"
copyright = f"2026, {author}"
release = (REPOSITORY / "version.txt").read_text(encoding="utf-8").strip()

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
exclude_patterns = ["pictures/*"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures have them

html_theme = "furo"
html_title = f"torch_elu {release}"
html_static_path = ["static"]
html_css_files = ["phone.css"]


def keep_text_of_links_to_sources(app: Sphinx, document: nodes.document) -> None:
    """README's links lead to files of the repository, most of which are no pages of the site."""
    for link in list(document.findall(pending_xref)):
        if link["reftype"] == "myst" and (REPOSITORY / link["reftarget"]).is_file():
            link.replace_self(link.children)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("doctree-read", keep_text_of_links_to_sources)
