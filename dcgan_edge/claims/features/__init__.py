"""What the discriminator of a GAN has learned about images: as features to classify by, and as pictures.

`activations` reads its convolution layers; `classification` trains linear classifiers on them, and
`visualisation` draws what excites them. Both put an untrained network of the same shape beside it.
"""
