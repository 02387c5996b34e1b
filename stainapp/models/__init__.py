"""Staining models: what they are, their networks, and slides stained by them. Knows no Qt."""
