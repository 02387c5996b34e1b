"""Two slides of one block laid over each other. Knows neither Qt nor torch."""
