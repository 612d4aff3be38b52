"""How much of a result is luck: intervals, odds, overfitting, every trial ever made."""
