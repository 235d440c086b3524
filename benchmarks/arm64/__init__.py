"""The base install on an emulated aarch64 beside this machine; `run.sh` is what is started."""
