"""PostgreSQL: connections, what a server can do, and how long a plan takes there."""
