"""Decoding: from the bytes of one source to a waveform and its sample rate."""
