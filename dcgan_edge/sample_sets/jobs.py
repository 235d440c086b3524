"""Files for schedulers that run a command once for each shard: a Slurm array, a Kubernetes Indexed Job.

Both give each job its number, from 0 on, in a variable of the environment.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dcgan_edge import __version__
from dcgan_edge.errors import UsageError
from dcgan_edge.sample_sets.plan import MOST_SHARDS

Scheduler = Literal["slurm", "k8s"]
IMAGE = f"REGISTRY/dcgan-edge:{__version__}"  # a place for the user's own
CLAIM = "CLAIM"
FINAL = "2, 5, 6"  # exit codes of requests that no second try makes better
SLURM = """\
#!/bin/bash
# Submit from the folder that relative paths begin at: sbatch FILE
# See what is missing: {check}
# and let that be done again: sbatch --array=3,17 FILE
#SBATCH --job-name=dcgan-edge-sample
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={threads}{gpu}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=dcgan-edge-sample-%A_%a.log
set -euo pipefail
exec {command} \\
  --shard "$SLURM_ARRAY_TASK_ID/{shards}"
"""
KUBERNETES = """\
# Fill in the image, which has dcgan-edge in it, and the claim of the volume that relative paths begin at.
# Submit to Kubernetes 1.29 or newer: kubectl create -f FILE
# See what is missing: {check}
apiVersion: batch/v1
kind: Job
metadata:
  generateName: dcgan-edge-sample-
spec:
  completionMode: Indexed
  completions: {shards}
  parallelism: {shards}
  backoffLimitPerIndex: 6
  podFailurePolicy:
    rules:
      - action: FailIndex
        onExitCodes:
          containerName: sample
          operator: In
          values: [{final}]
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: sample
          image: {image}
          workingDir: /work
          command: ["sh", "-c"]
          args:
            - |
              exec {command} \\
                --shard "$JOB_COMPLETION_INDEX/{shards}"
          resources:
            requests:
              cpu: {threads}{gpu}
          volumeMounts:
            - name: work
              mountPath: /work
      volumes:
        - name: work
          persistentVolumeClaim:
            claimName: {claim}
"""


@dataclass(frozen=True)
class JobFile:
    """What a file for a scheduler says: `command` once for each of `shards`, with `threads` processors.

    `check` is the command that says what is missing, `gpu` whether a job takes one, and `image` the
    container's (None: a name to be replaced); Slurm has none.
    """

    command: Sequence[str]
    check: Sequence[str]
    shards: int
    threads: int
    gpu: bool = False
    image: str | None = None

    def __post_init__(self) -> None:
        words = (*self.command, *self.check, self.image or "")
        if not all(word.isprintable() for word in words):
            raise UsageError("A job file takes no names with line breaks or other control characters.")
        if not 1 <= self.shards <= MOST_SHARDS:
            raise UsageError(f"There are 1 to {MOST_SHARDS:,} shards, not {self.shards}.")

    def text(self, scheduler: Scheduler) -> str:
        """Return the file for `scheduler`, ready to be submitted."""
        check = f"{shlex.join(self.check)} --shards {self.shards}"
        if scheduler == "slurm":
            if self.image is not None:
                raise UsageError("A Slurm array runs what is installed: --image is for k8s alone.")
            return SLURM.format(
                command=shlex.join(self.command), check=check, last=self.shards - 1, shards=self.shards,
                threads=self.threads, gpu="\n#SBATCH --gpus-per-task=1" if self.gpu else "",
            )  # fmt: skip
        return KUBERNETES.format(
            command=shlex.join(self.command).replace("$(", "$$("),  # which Kubernetes would replace
            check=check, shards=self.shards, threads=self.threads, final=FINAL, claim=CLAIM,
            image=_scalar(self.image or IMAGE),
            gpu="\n            limits:\n              nvidia.com/gpu: 1" if self.gpu else "",
        )  # fmt: skip


def _scalar(text: str) -> str:
    """Return `text` as YAML reads it back: in single quotes."""
    return "'" + text.replace("'", "''") + "'"
