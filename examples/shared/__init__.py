"""What the experiments share: commands, scores over seeds, tables, a figure."""
