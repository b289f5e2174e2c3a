"""boltbo beside other libraries: Optuna studies, BoTorch loops. Each module needs its own extra."""
