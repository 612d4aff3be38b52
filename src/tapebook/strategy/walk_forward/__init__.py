"""Settings chosen on the past, traded on what followed, again and again."""
