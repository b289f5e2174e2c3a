"""The embedded default: a small decoder on the domain's own symbols."""
