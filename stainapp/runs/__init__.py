"""A training run on disk: what was asked, what happened, and how to speak to it.

The run folder is the whole interface between the process that trains and whoever watches.
Knows neither Qt nor torch.
"""
