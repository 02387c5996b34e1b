"""Which tiles to show next, and which to keep. Knows neither Qt nor torch."""
