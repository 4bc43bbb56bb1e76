"""Where problems come from: procedural worlds of text and pictures, and adapters of published data sets."""
