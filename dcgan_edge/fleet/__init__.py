"""One plan of benchmarks on many boards over SSH, by the `ssh` that the system has.

`hosts` reads who takes part, `payload` makes ready what is sent, `connection` runs ssh, `visit` takes one
host through it, `run` all of them. `board` is what runs on the other side, and is copied there.
"""
