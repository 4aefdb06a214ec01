"""What the ids mean: 0..255 are bytes, 256 is END. Byte 0 is a byte like any other."""

NUM_BYTES = 256
END = 256
"""Starts and ends a document."""
MARK_ID = 255
"""Ends the prompt of a record (data/records.py): a byte that no UTF-8 text has."""
NUM_IDS = 257
"""V: the 256 bytes and END."""
