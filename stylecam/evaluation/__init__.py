"""How fast and how good it is, in numbers. The app never imports it."""
