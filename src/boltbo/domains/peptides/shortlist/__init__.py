"""What a search of peptides found: families of candidates as CSV, FASTA and one HTML page."""
