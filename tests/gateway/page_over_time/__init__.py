"""The page over time: who was in view, minutes, comparison."""
