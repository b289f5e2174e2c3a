"""The spaces in which an optimizer looks for plans."""
