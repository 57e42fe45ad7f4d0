"""Making the images: their locked packages, the build, what they hold, and the release."""
