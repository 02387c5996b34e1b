"""Measures of a virtual stain: against its true pair, or against the stain it imitates."""
