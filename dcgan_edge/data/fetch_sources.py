"""The public data sets that `fetch` can bring: where their files lie, and what those files must be.

Sizes and SHA-256 are of the files as their authors published them. They are listed by TensorFlow Datasets
(`url_checksums`) and, independently of it, by other public loaders; both were compared. Every set that is
added here needs a digest, because it is the only thing that makes an unknown mirror trustworthy.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unpack:
    """What an archive holds: a `folder` with `count` files that match `pattern`."""

    folder: str
    pattern: str
    count: int


@dataclass(frozen=True)
class RemoteFile:
    """One published file: its name under a mirror's address, `size` in bytes, `sha256` in hex."""

    name: str
    size: int
    sha256: str
    unpack: Unpack | None = None


@dataclass(frozen=True)
class DataSource:
    """A data set. `mirrors` are addresses that the file names are appended to, tried in order; a set without
    any is downloaded by hand, as `by_hand` says.
    """

    name: str
    title: str
    homepage: str
    terms: str
    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...] = ()
    by_hand: str = ""


MNIST = DataSource(
    "mnist",
    "MNIST handwritten digits, 60,000 and 10,000 images of 28 x 28, grey",
    "http://yann.lecun.com/exdb/mnist/",
    "CC BY-SA 3.0",
    (
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)

FASHION_MNIST = DataSource(
    "fashion-mnist",
    "Fashion-MNIST articles of clothing, 60,000 and 10,000 images of 28 x 28, grey",
    "https://github.com/zalandoresearch/fashion-mnist",
    "MIT",
    (
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
)

CIFAR10 = DataSource(
    "cifar10",
    "CIFAR-10 photographs in ten classes, 50,000 and 10,000 images of 32 x 32, colour",
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    "no licence stated; cite Krizhevsky 2009",
    (
        RemoteFile(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            Unpack("cifar-10-batches-bin", "*.bin", 6),
        ),
    ),
    ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
)

SVHN = DataSource(
    "svhn",
    "SVHN house numbers, cropped digits, 73,257 and 26,032 images of 32 x 32, colour",
    "http://ufldl.stanford.edu/housenumbers/",
    "non-commercial use only",
    (
        RemoteFile(
            "train_32x32.mat",
            182_040_794,
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
        RemoteFile(
            "test_32x32.mat",
            64_275_384,
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
    ),
    ("http://ufldl.stanford.edu/housenumbers/",),
)

CELEBA = DataSource(
    "celeba",
    "CelebA faces, aligned and cropped, 202,599 images of 178 x 218, colour",
    "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    "non-commercial research only",
    (
        RemoteFile(
            "img_align_celeba.zip",
            1_443_490_838,
            "46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
            Unpack("img_align_celeba", "*.jpg", 202_599),
        ),
    ),
    by_hand="its authors hand it out through file-sharing pages only, after you agree to their terms",
)

SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST, CIFAR10, SVHN, CELEBA)}
