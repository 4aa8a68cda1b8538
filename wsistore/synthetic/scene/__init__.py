"""What lies on a synthetic slide, drawn at random: tissue, glands, pen marks. Lengths in µm."""
