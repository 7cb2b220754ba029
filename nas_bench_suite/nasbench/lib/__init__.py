"""What `nasbench.lib` has that does not need TensorFlow."""
