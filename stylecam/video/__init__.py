"""Frames in and out: the only place where BGR, codecs and devices exist."""
