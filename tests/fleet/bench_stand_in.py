"""In place of `python -m dcgan_edge bench` on the boards of the tests: it takes figures from a file.

That is whole.json, beside the package that this is put into, the record of the whole plan. As the real one
it says which cell it is at, and writes the record after each, whatever happens to it. A file in the home
folder, or in FLEET_TEST_STATE, tells what is the matter: `hang` with a cell's number, or `broken`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Take cell after cell that the record has not got yet."""
    output = Path(sys.argv[sys.argv.index("--output") + 1])
    whole = json.loads((Path(__file__).parent / "whole.json").read_text())
    cells = whole["plan"]["done"]
    done = len(json.loads(output.read_text())["plan"]["done"]) if output.exists() else 0
    state = Path(os.environ.get("FLEET_TEST_STATE") or Path.home())
    hang = state / "hang"
    for number in range(done + 1, len(cells) + 1):
        print(f"cell {number} of {len(cells)}: {cells[number - 1]}", file=sys.stderr, flush=True)
        if hang.exists() and number == int(hang.read_text()):
            time.sleep(60)
        if (state / "broken").exists():
            sys.exit("Error: The board is \x1b[31mbroken.")
        plan = {**whole["plan"], "done": cells[:number]}
        taken = whole["measurements"][: number * len(whole["measurements"]) // len(cells)]
        part = output.with_suffix(".part")
        part.write_text(json.dumps({**whole, "plan": plan, "measurements": taken}))
        part.replace(output)


if __name__ == "__main__":
    main()
