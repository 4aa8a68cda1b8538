"""Whether a slide's levels and frames are what its file says of them."""
