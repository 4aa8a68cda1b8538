"""Where a network looked: Grad-CAM++ maps of a run, or of two, as layers, pictures and figures."""
