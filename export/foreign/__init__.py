"""Other people's generators: their files are read here, recognised, and made into checkpoints of ours."""
