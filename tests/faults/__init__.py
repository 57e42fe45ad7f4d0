"""The real processes against real servers, killed, paused and cut off."""
