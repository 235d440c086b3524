"""`dcgan-edge serve`: generators behind HTTP, for browsers, curl and clients of the Open Inference Protocol.

A request becomes a `Job` (`batching`); the `Worker` of its artifact, one thread that owns one session, joins
jobs into calls; what comes out is encoded by other threads (`answers`). `app` and `open_inference` speak
HTTP, `gate` decides who is answered, `server` starts and drains. FastAPI is in the extra `serve`.
"""
