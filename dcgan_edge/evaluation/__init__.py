"""How good generated images are: a frozen digit classifier, the metrics over its features, and the real-data
baseline.

Images come in from any `Session`; `extractor` says what turns them into features, `classifier` is our own for
digits, `metrics` are pure functions over arrays, `evaluate` puts them side by side. Nothing here needs torch
unless it is asked for.
"""
