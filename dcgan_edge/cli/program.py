"""The group of all commands: found lazily, one JSON document, every error a sentence and an exit code."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import itertools
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from dcgan_edge.errors import INTERRUPTED, TERMINATED, EdgeError, UnavailableError, UsageError
from dcgan_edge.names import printable
from dcgan_edge.signals import Terminated, interrupted_by_sigterm

BAD_NAMES = (errno.ENAMETOOLONG, errno.ELOOP)
LOST_OUTPUT = (errno.EPIPE, errno.ENOSPC, errno.EIO)


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Say nothing where torchrun started this as one of several processes, and not as the first."""
    if os.environ.get("RANK", "0") == "0" or "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    with (
        open(os.devnull, "w") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),  # a traceback is a bug, and comes after this
    ):
        yield


@dataclass
class Answer:
    """What a run of the program has to say in JSON: `wanted` by --json, `document` as a command left it."""

    wanted: bool
    document: dict[str, Any] = field(default_factory=dict)

    def finish(self, code: int, message: str) -> None:
        """Print the one document, with the error in it if there was one."""
        if not self.wanted or not (self.document or message):
            return
        error = {"error": {"message": message, "exit_code": code}} if message else {}
        text = json.dumps({"schema_version": 1, **self.document, **error}, indent=2, allow_nan=False)
        click.echo(text)


class Program(click.Group):
    """Import a command when it is used, and end as the contract says, whatever happens.

    `modules` maps a command to the module of dcgan_edge.cli that has it as `command`, in the order of a
    user's work; `extras` maps a library to the extra of this package that brings it.
    """

    modules: Mapping[str, str] = {}
    extras: Mapping[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of `modules`."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, None if there is none of that name."""
        if cmd_name not in self.modules:
            return None
        module = importlib.import_module(f"dcgan_edge.cli.{self.modules[cmd_name]}")
        command: click.Command = module.command
        return command

    def main(  # type: ignore[override]  # click's overloads differ between its versions
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **settings: Any
    ) -> int:
        """Run the command line `args`; exit with its code, or return it when not in `standalone_mode`."""
        arguments = list(sys.argv[1:] if args is None else args)
        if sys.stdout is None:  # closed where a service starts the program so; click 8.1 expects one
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # open until the end
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a name that cannot be encoded is shown, not a crash
                stream.reconfigure(errors="backslashreplace")
        try:
            with one_voice(), interrupted_by_sigterm():
                code = self._run(arguments, settings)
            sys.stdout.flush()
        except OSError as error:
            if error.errno not in LOST_OUTPUT:
                raise
            code = _output_lost(error)
        if standalone_mode:
            sys.exit(code)
        return code

    def _run(self, arguments: list[str], settings: dict[str, Any]) -> int:
        options = arguments[: arguments.index("--")] if "--" in arguments else arguments
        answer = Answer(_wants_json(options))
        code, message = 0, ""
        try:
            _refuse_empty(options)
            _refuse_lost_folder()
            try:
                returned = super().main(arguments, standalone_mode=False, obj=answer, **settings)
            except FileNotFoundError:
                _refuse_lost_folder()  # it may have gone meanwhile
                raise
            code = returned if isinstance(returned, int) else 0
        except click.ClickException as error:
            code, message = error.exit_code, error.format_message()
            error.show()
        except EdgeError as error:
            code, message = error.exit_code, printable(str(error))
            click.echo(f"Error: {message}", err=True)
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            if library not in self.extras:
                raise
            remedy = f"pip install 'dcgan-edge[{self.extras[library]}]'"
            code, message = (
                UnavailableError.exit_code,
                f"This needs {library}, which is not installed: {remedy}",
            )
            click.echo(f"Error: {message}", err=True)
        except OSError as error:
            if error.errno not in BAD_NAMES:
                raise
            code, message = UsageError.exit_code, printable(f"{error.filename}: {error.strerror}.")
            click.echo(f"Error: {message}", err=True)
        except click.Abort as error:
            code, message = INTERRUPTED, "Interrupted."
            if isinstance(error.__context__, Terminated):  # click 8.1.0 raises it from None: no cause
                code, message = TERMINATED, "Terminated."
            click.echo(message, err=True)
        answer.finish(code, message)
        return code


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Raise a usage error for an argument without content, as an unset variable of a shell leaves it.

    As a path it would be taken for the current folder.
    """
    for before, argument in itertools.pairwise(["", *arguments]):
        option = argument[:-1] if argument.startswith("--") and argument.endswith("=") else before
        if not argument.strip() or option == argument[:-1]:
            place = f" after {option}" if option.startswith("--") else ""
            raise click.UsageError(f"An argument{place} is empty; is a variable of the shell not set?")


def _refuse_lost_folder() -> None:
    """Raise UsageError when the current folder was deleted: no relative path leads anywhere then."""
    try:
        os.getcwd()  # noqa: PTH109  # Path.cwd() is the same
    except OSError as error:
        raise UsageError("The current folder is gone. Change to one that exists, and try again.") from error


def _wants_json(options: Sequence[str]) -> bool:
    """Whether JSON is asked for, so that an error in the other options is a document too."""
    pairs = itertools.pairwise(options)
    return "--json" in options or "--format=json" in options or ("--format", "json") in pairs


def _output_lost(error: OSError) -> int:
    """Say why standard output took no more, but not to a reader that has gone; return the exit code."""
    if error.errno != errno.EPIPE:
        click.echo(f"Error: Cannot write to standard output: {error.strerror}.", err=True)
    if sys.__stdout__ is not None and sys.stdout is sys.__stdout__:  # Python flushes it once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    return EdgeError.exit_code


def json_answer() -> Answer:
    """Return the answer of the program that runs, a new one where a command is parsed by itself."""
    root = click.get_current_context().find_root()
    if not isinstance(root.obj, Answer):
        root.obj = Answer(wanted=False)
    return root.obj
