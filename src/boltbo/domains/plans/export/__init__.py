"""Found plans as files that a server can use."""
