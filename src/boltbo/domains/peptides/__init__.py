"""Peptides: close relatives of a template with a low predicted minimal inhibitory concentration (MIC)."""
