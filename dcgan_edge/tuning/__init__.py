"""The fastest, smallest or thriftiest way to run a generator on this device, found by measuring.

    checkpoint -> variants -> artifacts -> candidates -> proofs -> trials -> final -> profile

`variants` (which alone needs torch and onnx) writes artifacts of a checkpoint, `candidates` lists the ways
to run them here, `proofs` lets only those through that still make the right images, `trials` measures each
beside one base by the rounds of `bench`, `search` decides what is measured next and what is chosen, `record`
keeps what was found so that an interrupted search goes on. `dcgan_edge.profile` reads the profile.
"""
