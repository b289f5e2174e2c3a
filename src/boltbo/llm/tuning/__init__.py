"""Training of local models: the loop, the packing of examples, the precision of products, the reading of weights."""
