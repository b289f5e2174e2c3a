"""A campaign's results as a table, JSON and a picture."""
