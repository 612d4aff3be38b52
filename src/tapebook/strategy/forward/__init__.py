"""A frozen strategy on bars that came after it, and the gap to its backtest."""
