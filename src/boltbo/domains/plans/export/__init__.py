"""Plans as files that a server can use."""
