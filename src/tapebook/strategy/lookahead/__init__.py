"""Whether a strategy's decisions use what was not yet known."""
