"""Sampling from a local model under a grammar."""
