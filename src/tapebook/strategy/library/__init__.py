"""The strategies that come with tapebook, one a file, each a function of the file's name.

`tapebook.strategy.registry.get("sma_cross")` finds them; so does every call that takes a strategy.
"""
