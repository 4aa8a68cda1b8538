"""What a GPU does with the work of `distill`: rates, waiting for data, memory; see `bench.gpu`."""
