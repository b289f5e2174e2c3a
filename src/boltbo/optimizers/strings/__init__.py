"""Optimizers over strings of symbols."""
