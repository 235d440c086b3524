#!/bin/sh
# Compare the base install on aarch64, under emulation, with this machine: latents, images and PNG bytes.
#
#     sh benchmarks/arm64/run.sh [WORK]        as root, on Debian or Ubuntu; WORK keeps what was downloaded
#
# It needs debootstrap and qemu-user-static (apt-get install both), and dcgan-edge[export,bundle] here. A Debian
# userland for arm64 is unpacked, not started: no chroot, no binfmt, no services. Its Python runs under
# qemu-aarch64-static with the wheels of a bundle for linux-aarch64.
#
# What this shows is the arithmetic of an emulated ARMv8 processor with these wheels. It is no test of a board:
# neither of its GPU nor of its drivers, nor of speed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$(mktemp -d)}
python=${PYTHON:-python3}
suite=${SUITE:-bookworm}     # its Python is 3.11
version=${VERSION:-3.11}
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | head -n 1)
cpu=${CPU:-cortex-a76}   # as benchmarks/arm64/cpuinfo says
root=$work/root
site=$work/site
mkdir -p "$work"

if [ ! -e "$root/usr/bin/python$version" ]; then
  rm -rf "$root"
  debootstrap --foreign --arch=arm64 --variant=minbase --include=python3-minimal,libpython3-stdlib,libstdc++6 \
    "$suite" "$root" "$mirror"
  for package in "$root"/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar --keep-directory-symlink -C "$root" -xf -
  done
fi

# ONNX Runtime asks /proc/cpuinfo which processor it is on, and ends with the one of another family. Below the
# userland's own root qemu finds this one first; debootstrap may have left a link to the machine's own there.
if [ -L "$root/proc" ]; then rm "$root/proc"; fi
mkdir -p "$root/proc"
cp "$here/cpuinfo" "$root/proc/cpuinfo"

if [ ! -e "$work/generator" ]; then
  "$python" "$here/generator.py" "$work/generator.tmp"
  mv "$work/generator.tmp" "$work/generator"
fi
rm -f "$work/bundle.tar.gz"
"$python" -m dcgan_edge package "$work"/generator/generator.fp32.onnx "$work"/generator/generator.fp16.onnx \
  --bundle "$work/bundle.tar.gz" --platform linux-aarch64 --python "$version"
rm -rf "$work/dcgan-edge-bundle" "$site"
tar -xzf "$work/bundle.tar.gz" -C "$work"
mkdir "$site"
for wheel in "$work"/dcgan-edge-bundle/wheels/*.whl; do
  "$python" -m zipfile -e "$wheel" "$site"
done

arm() {
  PYTHONPATH=$site PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \
    qemu-aarch64-static -cpu "$cpu" -L "$root" "$root/usr/bin/python$version" "$@"
}

arm -m dcgan_edge check "$work/bundle.tar.gz"
arm -m dcgan_edge selftest "$work/dcgan-edge-bundle" --threads 1
arm "$here/digest.py" "$work/dcgan-edge-bundle/artifacts" "$work/aarch64"
"$python" "$here/digest.py" "$work/dcgan-edge-bundle/artifacts" "$work/here"
"$python" "$here/compare.py" "$work/here" "$work/aarch64"
