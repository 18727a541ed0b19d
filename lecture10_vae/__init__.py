"""The lecture Variational Inference in TensorFlow (Stanford CS 20, 2018) as code that runs, a script for each part."""
