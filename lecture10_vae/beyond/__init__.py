"""Past the slides: the papers behind the lecture, on the slides' own functions."""
