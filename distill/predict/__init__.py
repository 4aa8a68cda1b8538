"""From a raw slide to class probabilities: the crops, pixels and answers of build and evaluate."""
