"""Search methods, one module each. No method imports another; what several share lies in
`optimizers.parts`."""
