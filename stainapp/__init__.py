"""stainapp: a whole-slide image viewer with live virtual staining."""

__version__ = "0.1.0"
