"""How a local model is trained: the loop, how examples are packed, in which precision, how weights are read."""
