"""Disk images: where they are kept, and what is checked before one is believed."""
