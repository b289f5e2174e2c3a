"""What every part needs of the machine: threads, memory, progress bars, files."""
