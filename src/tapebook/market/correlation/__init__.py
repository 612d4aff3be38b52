"""Which symbols move together, at once or some bars apart, and when that broke."""
