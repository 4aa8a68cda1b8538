"""`distill experiment`: the paper's design from one file, as jobs that can be interrupted."""
