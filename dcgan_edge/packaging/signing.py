"""Signatures of bundles by OpenSSF model-signing, with a key of one's own: no service is asked.

What is signed is SHA256SUMS, which has the hash of every other file. The library signs with ECDSA, whose
signatures differ each time: the one file of a bundle that is not the same when it is packed again.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.extras import need
from dcgan_edge.names import shown
from dcgan_edge.packaging.layout import SIGNATURE, SUMS

CURVES = "an elliptic-curve key in PEM (P-256, P-384 or P-521, no password)"


def sign(sums: bytes, key: Path) -> bytes:
    """Return the signature of SHA256SUMS, whose content is `sums`, by the private key in the file `key`.

    Raises UnavailableError when model-signing is not installed, UsageError for a file that is no such key.
    """
    need_library()
    from model_signing import signing

    read_file(key)
    with tempfile.TemporaryDirectory() as folder:
        path, target = _laid(folder, sums), Path(folder) / SIGNATURE
        try:
            signing.Config().use_elliptic_key_signer(private_key=key).sign(path, target)
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageError(f"{shown(key)} is not {CURVES} ({error}).") from error
        return target.read_bytes()


def check_signature(sums: bytes, signature: bytes, key: Path) -> None:
    """Raise ArtifactError unless `signature` is of `sums` by the owner of the public key in the file `key`.

    Raises UnavailableError when model-signing is not installed, UsageError for a file that is no such key.
    """
    need_library()
    from model_signing import verifying

    read_file(key)
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{shown(key)} is not the public half of {CURVES} ({error}).") from error
    with tempfile.TemporaryDirectory() as folder:
        path, written = _laid(folder, sums), Path(folder) / SIGNATURE
        written.write_bytes(signature)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # the library prints warnings there
                config.verify(path, written)
        except Exception as error:  # whatever the parsers of a stranger's JSON, base64 and DER raise
            raise ArtifactError(
                f"The signature of the bundle is not by the owner of {shown(key)}, or the bundle was changed "
                "after it was signed."
            ) from error


def need_library() -> None:
    """Raise UnavailableError naming the extra, unless model-signing is installed."""
    need("model_signing", "sign")
    need("OpenSSL", "sign")  # which model-signing imports without asking for it


def _laid(folder: str, sums: bytes) -> Path:
    path = Path(folder) / SUMS
    path.write_bytes(sums)
    return path
