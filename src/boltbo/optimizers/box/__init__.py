"""Optimizers in a box."""
