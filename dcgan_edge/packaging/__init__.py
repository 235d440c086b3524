"""Artifacts made ready for where they run: model repositories of Triton, bundles for machines offline.

What a device does with a bundle (`checking`, `selftest`) needs nothing but the base install.
"""
