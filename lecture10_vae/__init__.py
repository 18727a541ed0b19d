"""Lecture 10, "Variational Inference in TensorFlow", as code that runs: one script per part of the slides."""
