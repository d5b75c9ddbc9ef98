"""Roles of one partition: one worker leads, further workers stand by. A role brings its ``Led`` (see ``port``)."""
