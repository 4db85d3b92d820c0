"""Frames in and out: the only room where cameras and video codecs are used."""
