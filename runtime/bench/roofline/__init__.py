"""The roofline bound of an artifact on a device: `bound` compares, `peaks` and `cpu` say how fast it can be.

What an image costs was counted at export and stands in the manifest; nothing here reads a graph.
"""
