"""The addresses of `dcgan-edge serve`: samples, latents, models, health, metrics and the page.

Inference by the Open Inference Protocol is in `open_inference`. Every error is JSON: {"error": sentence}.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from dcgan_edge import __version__
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import as_pixels
from dcgan_edge.latents import latents as latents_of
from dcgan_edge.seeds import parse_seeds
from dcgan_edge.serving import open_inference
from dcgan_edge.serving.answers import (
    NPY,
    check_count,
    encode,
    encode_pixels,
    entity_tag,
    has_tag,
    npy_bytes,
    read_format,
    read_latents,
    read_wanted,
)
from dcgan_edge.serving.batching import QueueClosed, QueueFull
from dcgan_edge.serving.metrics import CONTENT_TYPE
from dcgan_edge.serving.models import UnknownModel
from dcgan_edge.serving.page import Page
from dcgan_edge.serving.service import AT_ONCE, BodyTooLarge, ClientLeft, Service
from dcgan_edge.serving.worker import images_of_latents, images_of_seeds

REVALIDATE = "private, no-cache"  # kept, and asked for again: 304 costs no computing
STATUS: tuple[tuple[type[EdgeError], int], ...] = (
    (UnknownModel, 404),
    (BodyTooLarge, 413),
    (QueueFull, 503),
    (QueueClosed, 503),
    (UsageError, 400),
    (EdgeError, 500),
)
ModelName = Annotated[str | None, Query(description="Name of the artifact; the first one if left out.")]
ClassNames = Annotated[
    str | None, Query(alias="class", description="Classes by name or number: 3, cat, all.")
]
Seeds = Annotated[str, Query(description="Seeds, such as 7, 0-15 or 1,4,7-9.")]
FormatName = Annotated[str, Query(alias="format", description="png, grid or npy.")]


def create_app(service: Service) -> FastAPI:
    """Return the ASGI application that answers for `service`."""
    app = FastAPI(title="dcgan-edge", version=__version__, docs_url=None, redoc_url=None)
    _add_errors(app, service)
    _add_samples(app, service)
    _add_latents(app, service)
    _add_operations(app, service)
    open_inference.add_routes(app, service)
    return app


def _add_samples(app: FastAPI, service: Service) -> None:
    @app.get("/v1/samples")
    async def samples(
        request: Request, seeds: Seeds, classes: ClassNames = None, model: ModelName = None,
        form: FormatName = "png",
    ) -> Response:  # fmt: skip
        """Answer with the images of seeds: the very files of `dcgan-edge sample`, a grid or an array."""
        chosen = service.models.find(model)
        wanted = read_wanted(chosen, seeds, classes, form, service.limits)
        tag = entity_tag(chosen, "samples", wanted.pairs, wanted.classes, wanted.format)
        headers = {"ETag": tag, "Cache-Control": REVALIDATE}
        if has_tag(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        job = await service.beside(
            lambda: chosen.worker.seeds(wanted.pairs), at_once=len(wanted.pairs) <= chosen.worker.batch
        )
        (kind, body), timing = await service.made(
            request, chosen.worker, job,
            lambda made: encode(chosen, images_of_seeds(wanted.pairs, made), wanted),
            at_once=wanted.format == "npy" and len(wanted.pairs) * chosen.values <= AT_ONCE,
        )  # fmt: skip
        return Response(body, media_type=kind, headers={**headers, "Server-Timing": timing})


def _add_latents(app: FastAPI, service: Service) -> None:
    @app.get("/v1/latents")
    async def latents(seeds: Seeds, model: ModelName = None) -> Response:
        """Answer with the latents of seeds, float32 (n, latent_dim), as a .npy file."""
        architecture = service.models.find(model).worker.manifest.architecture
        listed = parse_seeds(seeds)
        check_count(len(listed), service.limits)
        drawn = await service.beside(
            lambda: latents_of(listed, architecture.latent_dim, architecture.distribution)
        )
        return Response(npy_bytes(drawn[:, :, 0, 0]), media_type=NPY)

    @app.post("/v1/latents")
    async def images(
        request: Request, classes: ClassNames = None, model: ModelName = None, form: FormatName = "npy"
    ) -> Response:
        """Answer with the images of latents, which are the body, a .npy file of floats (n, latent_dim)."""
        chosen = service.models.find(model)
        format = read_format(form)
        body = await service.body(request)
        given = await service.beside(
            lambda: read_latents(body, chosen, classes, service.limits), at_once=len(body) <= AT_ONCE
        )
        layout = chosen.worker.manifest.outputs[0].layout
        (kind, content), timing = await service.made(
            request, chosen.worker, chosen.worker.latents(given),
            lambda made: encode_pixels(as_pixels(images_of_latents(made), layout), format),
            at_once=format == "npy" and 4 * len(given) * chosen.values <= AT_ONCE,
        )  # fmt: skip
        return Response(content, media_type=kind, headers={"Server-Timing": timing})

    @app.get("/v1/directions")
    async def directions(request: Request, model: ModelName = None) -> Response:
        """Answer with latent directions that change the images most, float32 (k, latent_dim), as .npy."""
        chosen = service.models.find(model)
        tag = entity_tag(chosen, "directions")
        headers = {"ETag": tag, "Cache-Control": REVALIDATE}
        if has_tag(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        found = await service.directions(request, chosen)
        return Response(npy_bytes(found), media_type=NPY, headers=headers)


def _add_operations(app: FastAPI, service: Service) -> None:
    page = Page.read()

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return Response(page.html, media_type="text/html", headers=page.headers)

    @app.get("/v1/models")
    async def models() -> Any:
        """List what is served, with classes, sizes and what computes."""
        return {
            "version": __version__,
            "limits": {"images": service.limits.images, "body": service.limits.body},
            "models": [model.facts() for model in service.models.values()],
        }

    @app.get("/health/live")
    async def live() -> Any:
        """Answer as long as the process can."""
        return {"live": True}

    @app.get("/health/ready")
    async def ready() -> Response:
        """Answer 200 while new requests are welcome, 503 while the server ends."""
        return JSONResponse({"ready": service.is_ready}, 200 if service.is_ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Answer with all figures in Prometheus' text format."""
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def _add_errors(app: FastAPI, service: Service) -> None:
    """Turn every error into its status and one sentence."""

    async def refused(_: Request, error: Exception) -> Response:
        status = next(code for kind, code in STATUS if isinstance(error, kind))
        headers = {"Retry-After": str(service.retry_s())} if status == 503 else {}
        return JSONResponse({"error": str(error)}, status, headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return JSONResponse({"error": f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"}, 400)

    async def unknown(_: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    async def left(_: Request, error: Exception) -> Response:
        return Response(status_code=499)

    app.add_exception_handler(EdgeError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(StarletteHTTPException, unknown)
    app.add_exception_handler(ClientLeft, left)
