"""The store over a socket: receiving processes in front of the one process that writes."""
