"""From a scene to the stain densities of its tissue: cells, glands, stroma, per pixel."""
