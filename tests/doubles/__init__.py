"""Supported doubles: they keep the promises of what they stand for, and remember what they were told."""
