"""Models of the objective: Gaussian processes over points and over strings, and their parts."""
