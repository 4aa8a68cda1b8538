"""A network run on a crop of any size: whole, checkpointed or in strips, in bounded memory."""
