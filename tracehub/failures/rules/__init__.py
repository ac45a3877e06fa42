"""What a project wants of the detectors, and the second pass over its traces."""
