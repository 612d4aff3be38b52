"""Why a move happened: with what, after what, when before, and whether a rule could have told."""
