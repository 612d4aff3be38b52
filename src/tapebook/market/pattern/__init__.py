"""What followed candlesticks, seasons, gaps, breakouts, volume spikes and recurring shapes."""
