"""The signing process: own log, own limits, the only place that sees key bytes."""
