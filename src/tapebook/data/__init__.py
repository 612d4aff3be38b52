"""What is kept: bars in the lake, records in the catalogue, and the panel that both speak of."""
