"""Search methods: a module each, or a package where a method has parts of its own. No method imports another;
what several share lies in `optimizers.parts`."""
