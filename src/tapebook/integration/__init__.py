"""Adapters to the outside: sources of market data, and the way from them into the lake."""
