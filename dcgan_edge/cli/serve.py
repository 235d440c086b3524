"""`dcgan-edge serve`: artifacts behind HTTP, until SIGTERM or Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dcgan_edge.cli import Command, json_option, print_json
from dcgan_edge.cli.options import SIZE, FiniteRange, backend_option, device_option, threads_option
from dcgan_edge.runtime.device import Backend

OPTIONS = (
    click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        help="Address to listen at. Beyond this machine, --token.",
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=8000,
        show_default=True,
        help="Port to listen at; 0 is a free one.",
    ),
    click.option(
        "--token",
        help="Secret that clients send, 16 characters or more; best set as DCGAN_EDGE_SERVE_TOKEN.",
    ),
    click.option("--max-batch", type=click.IntRange(min=1), help="Number of images per call. [default: 8]"),
    click.option(
        "--max-delay-ms",
        type=FiniteRange(0.0, 60_000.0),
        default=1.0,
        show_default=True,
        help="Time that a call which is not full waits for more requests.",
    ),
    click.option(
        "--max-queue",
        type=click.IntRange(1, 10_000_000),
        default=1024,
        show_default=True,
        help="Images in the making above which requests are answered 503.",
    ),
    click.option(
        "--max-images",
        type=click.IntRange(1, 100_000),
        default=256,
        show_default=True,
        help="Largest number of images of one request.",
    ),
    click.option(
        "--max-body",
        type=SIZE,
        default="16MiB",
        show_default=True,
        help="Largest body of a request, 16 is MiB.",
    ),
    device_option,
    backend_option,
    threads_option,
    json_option,
)


def _options(command: Command) -> Command:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command("serve")
@click.argument("artifacts", metavar="ARTIFACT...", nargs=-1, required=True)
@_options
def command(
    artifacts: tuple[str, ...],
    host: str,
    port: int,
    token: str | None,
    max_batch: int | None,
    max_delay_ms: float,
    max_queue: int,
    max_images: int,
    max_body: int,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Answer HTTP requests for images of each ARTIFACT (.onnx, .engine, or NAME=PATH), with a page at /.

    A seed gives the bytes that `sample` writes. Images come as PNG, grids or arrays from /v1/samples and
    /v1/latents; clients of the Open Inference Protocol (Triton, KServe) use /v2. It listens to this machine
    alone unless --host says otherwise. SIGTERM ends it once all that was accepted is answered.

    \b
    dcgan-edge serve out/generator.fp16.onnx
    dcgan-edge serve digits=out/generator.fp16.onnx faces=faces/generator.fp16.onnx --port 9000
    dcgan-edge serve out/generator.fp16.onnx --max-batch 16 --max-delay-ms 2
    DCGAN_EDGE_SERVE_TOKEN=$(openssl rand -hex 16) dcgan-edge serve out/generator.fp16.onnx --host 0.0.0.0
    """
    from dcgan_edge.serving.server import serve
    from dcgan_edge.words import count_words

    served = serve(
        artifacts, host=host, port=port, token=token, max_batch=max_batch, max_delay_s=max_delay_ms / 1000,
        max_queue=max_queue, max_images=max_images, max_body=max_body, device=device, backend=backend,
        threads=threads, started=_say,
    )  # fmt: skip
    if as_json:
        print_json(served.to_dict())
        return
    done = f"{count_words(served.images, 'image')} in {count_words(served.calls, 'call')}"
    click.echo(f"Served for {served.seconds:.0f} s: {done}, {served.refused:,} refused")


def _say(url: str, names: Sequence[str]) -> None:
    """Say where it is, to the people before the screen: what programs read comes at the end."""
    click.echo(f"Serving {', '.join(names)} at {url} (Ctrl-C ends it)", err=True)
