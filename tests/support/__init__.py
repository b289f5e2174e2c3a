"""What several tests need: small problems with known answers, servers to talk to, pages read back."""
