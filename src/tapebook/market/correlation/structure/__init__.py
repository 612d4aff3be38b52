"""The structure that correlations have: factors, clusters, the tree that joins them."""
