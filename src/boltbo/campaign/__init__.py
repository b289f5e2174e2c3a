"""The algorithm: rounds of solving, distilling, fine-tuning and validating, and what each of them needs."""
