"""What happened to an account: decisions in, fills and money out."""
