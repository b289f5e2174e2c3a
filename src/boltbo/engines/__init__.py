"""Where runs happen: in this process, or in local worker processes."""
