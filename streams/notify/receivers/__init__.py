"""Receivers, a file each: a module here that declares a ``KIND`` is a kind of receivers.toml (see ``port``)."""
