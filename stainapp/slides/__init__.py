"""Pixels of slides. Knows neither Qt nor torch."""
