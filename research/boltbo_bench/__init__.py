"""The laboratory beside boltbo: named experiments, and the methods that boltbo is compared with."""
