"""One strategy on past bars: its result, tear sheet, store and comparison with others."""
