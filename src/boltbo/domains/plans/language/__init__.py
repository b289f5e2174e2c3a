"""Plans and queries as values, and plans as text: the grammar, the one canonical spelling, what EXPLAIN shows."""
