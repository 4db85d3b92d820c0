"""Frames in and out: the only package that uses cameras and video codecs."""
