"""How Sphinx builds the documentation: `make docs`, into build/docs. Warnings are errors there."""

import fastmlp

project = "fastmlp"
author = "fastmlp developers"
copyright = "fastmlp developers"
release = version = fastmlp.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["examples", "gallery/*.ipynb", "gallery/*.py", "gallery/*.md5"]
templates_path = ["_templates"]
nitpicky = False  # numpydoc's types are words, such as "array_like of shape (m, n_in)", and no references

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings have the types, with shapes
numpydoc_show_class_members = False  # the page of a class has its members in full

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "capture_repr": (),  # what is printed, and no Axes
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e6,  # seconds that a page took are no part of it
    "matplotlib_animations": False,
}
suppress_warnings = ["config.cache"]  # sphinx-gallery's table of functions cannot be pickled

html_theme = "pydata_sphinx_theme"
html_title = "fastmlp"
html_static_path = ["_static"]
html_css_files = ["fastmlp.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 4,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"**": ["sidebar-nav-bs"], "index": [], "scripts": [], "architecture": [], "performance": []}


def _skip(app, what, name, obj, skip, options):
    """Leave out fields of a NamedTuple, which the docstring of the class has, and what scikit-learn documents."""
    of_field = (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")
    of_sklearn = (getattr(obj, "__module__", None) or "").startswith("sklearn.") or name.endswith("_request")
    return True if of_field or of_sklearn else None


def setup(app):
    app.connect("autodoc-skip-member", _skip)
