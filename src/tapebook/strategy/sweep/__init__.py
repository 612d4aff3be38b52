"""One strategy under many settings."""
