"""What the latent space of a trained generator can do, as tools and as measurements.

`drawing` and `restoring` have the functions behind the commands. `drawing` and what it stands on (`paths`,
`arithmetic`, `interpolation`) need no torch: they run exported artifacts through a `Session`.
`restoring` and what it stands on (`inversion`, `restoration`, `stylize`) take gradients, so they run
checkpoints.
"""
