"""Pairs of levels whose spread returns to a mean."""
