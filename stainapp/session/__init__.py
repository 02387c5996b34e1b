"""What the user makes on a slide. Knows neither Qt nor torch."""
