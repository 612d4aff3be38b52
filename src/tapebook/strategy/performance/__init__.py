"""Figures and tables of a strategy, each definition in one place."""
