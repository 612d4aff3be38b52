"""Moves that matter: found, measured, and how rare chance makes them."""
