"""Full text: what inputs, outputs and errors say, and the index over their words."""
