"""Sampling from a local model under a grammar.

Samples are the same to the last bit for one call of `sample` with the same model, prompts, number, settings and seed, on one
machine with the same libraries, the same number of threads and the same variables that these libraries read. Nothing more is
promised.

Kernels of matrix products choose the order of their sums by the number of rows, so a prompt's likelihoods differ by about
1e-7 (float32) when other prompts, or other numbers of threads, put other rows beside its own. No choice is made by such a
bit where it need not be: random numbers belong to the prompt and to the tokens written, so that rounding moves a text's noisy
likelihood by as little as its likelihood. Texts and their order change only where two of these, or a draw and the edge that
it is compared with, lie within that rounding of each other; then the two texts change places, and the others stay.
"""
