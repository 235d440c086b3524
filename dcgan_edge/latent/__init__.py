"""What the latent space of a trained generator can do, as tools and as measurements.

`paths`, `formula`, `arithmetic`, `measured` and `movie` need no torch: they run exported artifacts through a
`Session`. `inversion` and what stands on it (`restoration`, `stylize`) take gradients, so they run
checkpoints.
"""
