"""What the DCGAN paper claims, measured: features, arithmetic, the comparison of presets."""
