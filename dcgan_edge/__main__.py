"""`python -m dcgan_edge`: the same program as the `dcgan-edge` console script."""

from dcgan_edge.cli import main

if __name__ == "__main__":
    main(prog_name="dcgan-edge")
