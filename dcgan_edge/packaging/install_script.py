"""install.sh of a bundle: what makes a virtual environment of its wheels on a machine without network."""

from __future__ import annotations

SCRIPT = """\
#!/bin/sh
# Install dcgan-edge from this bundle into a virtual environment. Nothing is downloaded.
#
#     sh install.sh [FOLDER]      without FOLDER: venv, beside this script
#
# PYTHON=/usr/bin/python3.10 sh install.sh takes another interpreter.
set -eu

venv=${1:-venv}
case $venv in
  /*) ;;
  *) if [ "$#" -gt 0 ]; then venv=$PWD/$venv; fi ;;
esac
cd "$(dirname "$0")"
case $venv in
  /*) ;;
  *) venv=$PWD/$venv ;;
esac
python=${PYTHON:-python3}

sha256sum --check --quiet --strict SHA256SUMS || {
  echo "A file of this bundle is missing or changed. Copy the bundle again." >&2
  exit 6
}
"$python" -I -c '
import platform, sys
found = (platform.system().lower(), platform.machine(), "%d.%d" % sys.version_info[:2])
wanted = ("@SYSTEM@", "@MACHINE@", "@PYTHON@")
sys.exit(0 if found == wanted else "This bundle is for {} {} and Python {}, and here is {} {} and Python {}."
         .format(*wanted, *found))
' || exit 5
"$python" -I -m venv @OPTIONS@"$venv" || {
  echo "This Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2
  exit 5
}
PIP_CONFIG_FILE=/dev/null "$venv/bin/python" -I -m pip install --isolated --quiet \\
  --disable-pip-version-check --no-cache-dir --no-index --find-links wheels --require-hashes \\
  --requirement requirements.txt
"$venv/bin/dcgan-edge" check .
echo "Installed. Next: $venv/bin/dcgan-edge selftest '$PWD'"
"""


def install_script(platform: str, python: str, *, system_packages: bool) -> bytes:
    """Return install.sh for `platform` ("linux-aarch64") and `python` ("3.10").

    With `system_packages` the environment sees what the system has installed: TensorRT comes with JetPack.
    """
    system, _, machine = platform.partition("-")
    values = {
        "@SYSTEM@": system,
        "@MACHINE@": machine,
        "@PYTHON@": python,
        "@OPTIONS@": "--system-site-packages " if system_packages else "",
    }
    text = SCRIPT
    for name, value in values.items():
        text = text.replace(name, value)
    return text.encode()
