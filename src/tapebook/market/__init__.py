"""Trends, correlations, patterns and the reverse engineering of past moves."""
