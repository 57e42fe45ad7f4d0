"""The images as built: run with the hardening of compose.yaml. `make check-images`."""
