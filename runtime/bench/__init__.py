"""Latency and throughput, measured in processes of their own and recorded so that they can be checked."""
