"""The addresses of the Open Inference Protocol, version 2, as Triton, KServe and their clients have it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from dcgan_edge import __version__
from dcgan_edge.serving.models import VERSION
from dcgan_edge.serving.service import AT_ONCE, Service
from dcgan_edge.serving.tensors import LENGTH_HEADER, model_metadata, read_inference, write_inference
from dcgan_edge.serving.worker import images_of_latents

EXTENSIONS = ["binary_tensor_data"]


def add_routes(app: FastAPI, service: Service) -> None:
    """Add `/v2` and all below it to `app`."""

    @app.get("/v2")
    async def server() -> Any:
        """Say what this server is."""
        return {"name": "dcgan-edge", "version": __version__, "extensions": EXTENSIONS}

    @app.get("/v2/health/live")
    async def live() -> Any:
        """Answer as long as the process can."""
        return {"live": True}

    @app.get("/v2/health/ready")
    async def ready() -> Response:
        """Answer 200 while new requests are welcome, 503 while the server ends."""
        return JSONResponse({"ready": service.is_ready}, 200 if service.is_ready else 503)

    @app.get("/v2/models/{name}")
    @app.get("/v2/models/{name}/versions/{version}")
    async def model(name: str, version: str = VERSION) -> Any:
        """Describe the tensors of a model."""
        return model_metadata(service.models.find(name, version))

    @app.get("/v2/models/{name}/ready")
    @app.get("/v2/models/{name}/versions/{version}/ready")
    async def model_ready(name: str, version: str = VERSION) -> Response:
        """Answer 200 if the model can be asked."""
        is_ready = service.models.find(name, version).worker.is_ready and service.is_ready
        return JSONResponse({"name": name, "ready": is_ready}, 200 if is_ready else 503)

    @app.post("/v2/models/{name}/infer")
    @app.post("/v2/models/{name}/versions/{version}/infer")
    async def infer(request: Request, name: str, version: str = VERSION) -> Response:
        """Make images of latents: JSON, or JSON followed by binary tensors, both ways."""
        chosen = service.models.find(name, version)
        body = await service.body(request)
        length = request.headers.get(LENGTH_HEADER)
        asked = await service.beside(
            lambda: read_inference(body, length, chosen.worker.manifest, service.limits),
            at_once=len(body) <= AT_ONCE,
        )
        (kind, content, headers), timing = await service.made(
            request, chosen.worker, chosen.worker.latents(asked.latents),
            lambda made: write_inference(chosen, asked, images_of_latents(made)),
            at_once=asked.binary and 4 * len(asked.latents) * chosen.values <= AT_ONCE,
        )  # fmt: skip
        return Response(content, media_type=kind, headers={**headers, "Server-Timing": timing})
