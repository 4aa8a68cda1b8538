"""The commands of ``wsistore``, one module each."""
