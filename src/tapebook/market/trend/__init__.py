"""Trends of each symbol: direction, strength, memory, breaks and regimes."""
