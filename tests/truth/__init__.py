"""Documents whose every word is known, made by the tests; and how much of them a reader finds."""
